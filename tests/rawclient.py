"""rawclient.py - an HTTP client for S3 in which everything can be right, or wrong on purpose.

It signs by hand (SigV4 in headers and in the query, SigV2 in the query), writes the three chunked payloads, and sends exactly the bytes it is told.
So a test says what is on the wire, and no SDK repairs it on the way.
"""
import base64
import datetime
import hashlib
import hmac
import http.client
import socket
import urllib.parse
import xml.etree.ElementTree as ET
import zlib

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def quote(text, keep="/"):
    """Percent-encode as S3's canonical form does."""
    if isinstance(text, str):
        text = text.encode()
    return urllib.parse.quote_from_bytes(text, safe=keep + "-_.~")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def crc32_base64(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def md5_base64(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {}
        self.raw_headers = headers
        for name, value in headers:
            self.headers.setdefault(name.lower(), value)

    @property
    def code(self):
        """The <Code> of an error document, None without one."""
        return self.text("Code")

    def text(self, name):
        found = self.all(name)
        return found[0] if found else None

    def all(self, name):
        if not self.body.startswith(b"<?xml"):
            return []
        return [e.text or "" for e in ET.fromstring(self.body).iter() if e.tag.split("}")[-1] == name]

    def __repr__(self):
        return f"{self.status} {self.code} {self.body[:300]!r}"


class Raw:
    def __init__(self, host, port, access_key=None, secret_key=None, region="us-east-1", service="s3", token=None):
        self.host, self.port = host, port
        self.access_key, self.secret_key, self.token = access_key, secret_key, token
        self.region, self.service = region, service
        self.connection = None

    # ---- signing

    def signing_key(self, day):
        key = ("AWS4" + self.secret_key).encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = _hmac(key, part)
        return key

    def scope(self, stamp):
        return f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"

    @staticmethod
    def canonical_query(query):
        pairs = []
        for piece in query.split("&") if query else []:
            name, _, value = piece.partition("=")
            pairs.append((quote(urllib.parse.unquote_to_bytes(name.replace("+", " ")), ""),
                          quote(urllib.parse.unquote_to_bytes(value.replace("+", " ")), "")))
        return "&".join(f"{n}={v}" for n, v in sorted(pairs))

    def signature(self, method, path, query, headers, signed, payload, stamp):
        canonical_path = quote(urllib.parse.unquote_to_bytes(path))
        canonical = "\n".join([method, canonical_path, self.canonical_query(query)]
                              + [f"{n}:{' '.join(headers[n].split())}" for n in signed] + ["", ";".join(signed), payload])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, self.scope(stamp), hashlib.sha256(canonical.encode()).hexdigest()])
        return hmac.new(self.signing_key(stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()

    def sign(self, method, path, query="", headers=None, payload=EMPTY_SHA256, when=None, leave_unsigned=()):
        """Headers with Authorization; all of them are signed but those left out on purpose."""
        stamp = (when or now()).strftime("%Y%m%dT%H%M%SZ")
        h = {"host": f"{self.host}:{self.port}", "x-amz-date": stamp, "x-amz-content-sha256": payload}
        if self.token:
            h["x-amz-security-token"] = self.token
        h.update({k.lower(): str(v) for k, v in (headers or {}).items()})
        signed = sorted(n for n in h if n not in leave_unsigned)
        signature = self.signature(method, path, query, h, signed, payload, stamp)
        h["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope(stamp)}, "
                              f"SignedHeaders={';'.join(signed)}, Signature={signature}")
        return h

    def presign(self, method, path, query="", expires=300, headers=None, when=None):
        """The query string of a SigV4 presigned URL."""
        stamp = (when or now()).strftime("%Y%m%dT%H%M%SZ")
        h = {"host": f"{self.host}:{self.port}"}
        h.update({k.lower(): v for k, v in (headers or {}).items()})
        signed = sorted(h)
        params = [query] if query else []
        params += ["X-Amz-Algorithm=AWS4-HMAC-SHA256", f"X-Amz-Credential={quote(self.access_key + '/' + self.scope(stamp), '')}",
                   f"X-Amz-Date={stamp}", f"X-Amz-Expires={expires}", f"X-Amz-SignedHeaders={quote(';'.join(signed), '')}"]
        if self.token:
            params.append(f"X-Amz-Security-Token={quote(self.token, '')}")
        full = "&".join(params)
        return full + "&X-Amz-Signature=" + self.signature(method, path, full, h, signed, UNSIGNED, stamp)

    def presign_v2(self, method, path, expires_at, content_type="", query=""):
        to_sign = f"{method}\n\n{content_type}\n{expires_at}\n{path}" + (f"?{query}" if query else "")
        signature = base64.b64encode(hmac.new(self.secret_key.encode(), to_sign.encode(), hashlib.sha1).digest()).decode()
        return (f"{query}&" if query else "") + f"AWSAccessKeyId={quote(self.access_key, '')}&Signature={quote(signature, '')}&Expires={expires_at}"

    # ---- sending

    def connect(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        return self.connection

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def send(self, method, target, headers, body=b"", length=True):
        """Exactly this request, on a connection that is kept. headers: a dict, or pairs. length False: no Content-Length."""
        c = self.connect()
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        names = {n.lower() for n, _ in pairs}
        try:
            c.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            if "host" not in names:
                c.putheader("Host", f"{self.host}:{self.port}")
            for name, value in pairs:
                c.putheader(name, value if isinstance(value, bytes) else str(value).encode())
            if length and "content-length" not in names and (body or method in ("PUT", "POST")):
                c.putheader("Content-Length", str(len(body)))
            c.endheaders()
            try:
                c.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server has answered already
            response = c.getresponse()
            data = response.read()
        except Exception:
            self.close()
            raise
        if response.will_close:
            self.close()
        return Answer(response.status, response.getheaders(), data)

    def request(self, method, path, query="", headers=None, body=b"", payload=None, when=None, leave_unsigned=()):
        """A request that is signed as it should be. path and query are as on the wire."""
        payload = payload or hashlib.sha256(body).hexdigest()
        signed = self.sign(method, path, query, headers, payload, when, leave_unsigned)
        return self.send(method, path + (f"?{query}" if query else ""), signed, body)

    def get(self, path, query="", **kw):
        return self.request("GET", path, query, **kw)

    def head(self, path, query="", **kw):
        return self.request("HEAD", path, query, **kw)

    def put(self, path, body=b"", query="", **kw):
        return self.request("PUT", path, query, body=body, **kw)

    def post(self, path, body=b"", query="", **kw):
        return self.request("POST", path, query, body=body, **kw)

    def delete(self, path, query="", **kw):
        return self.request("DELETE", path, query, **kw)

    def anonymous(self, method, path, query="", headers=None, body=b""):
        return self.send(method, path + (f"?{query}" if query else ""), headers or {}, body)

    # ---- chunked payloads

    def put_chunked(self, path, body, payload, chunk=65536, trailer=None, query="", headers=None, tamper=None, transfer_chunked=False,
                    decoded_length=None):
        """PUT with one of the STREAMING payloads. trailer: (name, value). tamper(pieces) may change the list of wire pieces: each is one chunk with its
        header, then the final chunk, then the trailer lines."""
        h = dict(headers or {})
        h["content-encoding"] = "aws-chunked" + ("," + h["content-encoding"] if "content-encoding" in h else "")
        h["x-amz-decoded-content-length"] = str(len(body) if decoded_length is None else decoded_length)
        if trailer:
            h["x-amz-trailer"] = trailer[0]
        stamp = now().strftime("%Y%m%dT%H%M%SZ")
        when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
        signed = self.sign("PUT", path, query, h, payload, when)
        pieces = self.chunks(body, payload, chunk, trailer, signed["authorization"].rsplit("=", 1)[1], stamp)
        if tamper:
            pieces = tamper(pieces)
        wire = b"".join(pieces)
        target = path + (f"?{query}" if query else "")
        if not transfer_chunked:
            return self.send("PUT", target, signed, wire)
        signed["transfer-encoding"] = "chunked"
        outer = b"".join(b"%x\r\n%s\r\n" % (len(wire[i:i + 1000]), wire[i:i + 1000]) for i in range(0, len(wire), 1000)) + b"0\r\n\r\n"
        return self.send("PUT", target, signed, outer, length=False)

    def chunks(self, body, payload, chunk, trailer, seed, stamp):
        is_signed = payload != UNSIGNED_TRAILER
        key, scope = self.signing_key(stamp[:8]), self.scope(stamp)
        previous = seed
        pieces = []
        for data in [body[i:i + chunk] for i in range(0, len(body), chunk)] + [b""]:
            line = f"{len(data):x}"
            if is_signed:
                to_sign = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, EMPTY_SHA256, hashlib.sha256(data).hexdigest()])
                previous = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
                line += f";chunk-signature={previous}"
            pieces.append(line.encode() + b"\r\n" + data + (b"\r\n" if data else b""))
        end = b""
        if trailer:
            end += f"{trailer[0]}:{trailer[1]}\r\n".encode()
            if is_signed:
                text = f"{trailer[0]}:{trailer[1]}\n"
                to_sign = "\n".join(["AWS4-HMAC-SHA256-TRAILER", stamp, scope, previous, hashlib.sha256(text.encode()).hexdigest()])
                end += b"x-amz-trailer-signature:" + hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest().encode() + b"\r\n"
        pieces.append(end + b"\r\n")
        return pieces

    # ---- bytes

    def wire(self, data, timeout=30):
        """Send these bytes on a new connection, and give all that comes until the server closes it or nothing more is to come."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            out = b""
            while True:
                try:
                    piece = s.recv(65536)
                except ConnectionResetError:
                    return out
                if not piece:
                    return out
                out += piece
