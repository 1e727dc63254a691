-- load.lua: what wrk sends. URLS: a file of request targets, one a line, taken in turn. METHOD, SIZE (bytes of body), TOKEN (bearer).
-- COMMIT: the body is a table commit that sets a property to a number that grows. COUNT: stop after so many answers, or a few more.
-- WRITES: a file of targets of PUTs; then 3 of 10 requests are the next of these.
local urls, i, left = {}, 0, tonumber(os.getenv("COUNT") or "0")
local writes, written, block = {}, 0, nil
local method, commit, headers, body = os.getenv("METHOD"), os.getenv("COMMIT"), {}, nil

function init()
   for line in io.lines(os.getenv("URLS")) do urls[#urls + 1] = line end
   local size, token = tonumber(os.getenv("SIZE") or "0"), os.getenv("TOKEN")
   if os.getenv("WRITES") then
      for line in io.lines(os.getenv("WRITES")) do writes[#writes + 1] = line end
      block = string.rep("x", size)
   end
   if method == "PUT" then body = string.rep("x", size) end
   if token then headers["Authorization"] = "Bearer " .. token end
   if commit then headers["Content-Type"] = "application/json" end
end

function request()
   i = i + 1
   if block and i * 3 % 10 < 3 then
      written = written + 1
      return wrk.format("PUT", writes[(written - 1) % #writes + 1], headers, block)
   end
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
