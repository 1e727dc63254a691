-- load.lua: what wrk sends. URLS: a file of request targets, one a line, taken in turn. METHOD, SIZE (bytes of body), TOKEN (bearer).
-- COMMIT: the body is a table commit that sets a property to a number that grows. COUNT: stop after so many answers, or a few more.
local urls, i, left = {}, 0, tonumber(os.getenv("COUNT") or "0")
local method, commit, headers, body = os.getenv("METHOD"), os.getenv("COMMIT"), {}, nil

function init()
   for line in io.lines(os.getenv("URLS")) do urls[#urls + 1] = line end
   local size, token = tonumber(os.getenv("SIZE") or "0"), os.getenv("TOKEN")
   if method == "PUT" then body = string.rep("x", size) end
   if token then headers["Authorization"] = "Bearer " .. token end
   if commit then headers["Content-Type"] = "application/json" end
end

function request()
   i = i + 1
   if commit then
      body = '{"requirements":[],"updates":[{"action":"set-properties","updates":{"bench.counter":"' .. i .. '"}}]}'
   end
   return wrk.format(method, urls[(i - 1) % #urls + 1], headers, body)
end

if left > 0 then
   function response()
      left = left - 1
      -- wrk's main thread sleeps for the whole time whatever its threads do; this wakes it. In the background, since os.execute ignores SIGINT meanwhile.
      if left == 0 then os.execute("(sleep 0.02; kill -INT $PPID) &") end
   end
end
