"""bench_large.py - large bodies: so many of them, over so many connections, each a process of its own.

Not with wrk: what is under way when its time is over is not counted, and with bodies of 64 MiB that is half of everything.
"""
import http.client
import multiprocessing
import time
import urllib.parse


def send(url, targets, size, barrier):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=120)
    connection.connect()
    body = memoryview(bytes(size))
    barrier.wait()
    for target in targets:
        connection.request("PUT", target, body, {"Content-Length": str(size)})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text[:300])


def receive(url, targets, size, barrier):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=120)
    connection.connect()
    room = memoryview(bytearray(1 << 20))
    barrier.wait()
    for target in targets:
        connection.request("GET", target)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        total = 0
        while (n := answer.readinto(room)) > 0:
            total += n
        assert total == size, (total, size)


def seconds_of(work, url, targets, connections, size):
    """All targets, dealt out over the connections: seconds from the first byte to the last answer."""
    barrier = multiprocessing.Barrier(connections + 1)
    processes = [multiprocessing.Process(target=work, args=(url, targets[i::connections], size, barrier)) for i in range(connections)]
    for p in processes:
        p.start()
    barrier.wait()
    begin = time.monotonic()
    for p in processes:
        p.join()
    assert not any(p.exitcode for p in processes), "a large transfer failed"
    return time.monotonic() - begin
