"""REST and Server-Sent Events as curl speaks them."""

import json
import os
import subprocess
import unittest
import uuid

URL = os.environ["STERNA_URL"]
TLS_URL = "https://" + os.environ["STERNA_TLS_ADDRESS"]
TOKEN = os.environ["TOKEN"]
CERTIFICATE = os.environ["CERTIFICATE"]
BEARER = ("-H", f"Authorization: Bearer {TOKEN}")


def curl(*arguments, content=None):
    """Runs curl; gives the HTTP status, the headers in lower case, and the body as JSON if it is."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--include", *arguments]
    output = subprocess.run(command, check=True, input=content, stdout=subprocess.PIPE).stdout
    head, _, body = output.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    is_json = headers.get("content-type") == "application/json"
    return int(lines[0].split()[1]), headers, json.loads(body) if is_json and body else body


def new_subject():
    """A subject that nobody has used: the server remembers."""
    return f"/foreign/curl/{uuid.uuid4()}"


def produce(subject, content, *arguments, query=""):
    content = content if isinstance(content, bytes) else content.encode()
    url = f"{URL}/rest/produce?subject={subject}{query}"
    return curl("--data-binary", "@-", *arguments, url, content=content)


def consume(subject, query=""):
    status, headers, body = curl(f"{URL}/rest/consume?subject={subject}{query}")
    assert status == 200 and body["subject"] == subject, body
    return headers["sterna-recovery"], body["messages"]


class Stream:
    """An event stream read by curl, line by line."""

    def __init__(self, query, *arguments):
        command = ["curl", "--silent", "--no-buffer", "--max-time", "30", *arguments, f"{URL}/sse?{query}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def event(self):
        """The next event: its name, its data and its id."""
        fields = {}
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if not line and fields:
                return fields.get("event"), json.loads(fields["data"]), fields.get("id")
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
        raise EOFError("the stream has ended")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Rest(unittest.TestCase):
    def test_produce_answers_with_the_three_documented_fields(self):
        subject = new_subject()
        status, headers, body = produce(subject, "142.5", *BEARER, query="&closure=c1")
        self.assertEqual((status, body), (200, {"subject": subject, "closure": "c1", "status": "OK"}))
        self.assertEqual(headers["cache-control"], "no-store")
        status, _, body = produce(subject, "142.5", query=f"&token={TOKEN}")
        self.assertEqual((status, body["status"]), (200, "OK"))
        self.assertGreater(int(body["closure"]), 1_600_000_000_000, "the time of the request")

    def test_refusals_have_a_status_of_http_and_one_of_the_publish(self):
        subject = new_subject()
        for content, arguments, expected in [
            ("x", (), (403, "DENY")),
            ("x", ("-H", "Authorization: Bearer wrong"), (403, "DENY")),
            ("", BEARER, (400, "FAILED")),
            ("x" * 65_537, BEARER, (413, "MESSAGE_SIZE_LIMIT_EXCEEDED")),
        ]:
            status, _, body = produce(subject, content, *arguments, query="&closure=c")
            self.assertEqual((status, body), (expected[0], {"subject": subject, "closure": "c", "status": expected[1]}))
        self.assertEqual(consume(subject)[1], [])

    def test_errors_are_json_with_code_and_advice(self):
        for path, expected, code, name in [
            ("/rest/consume", 400, 4003, "parameter_invalid"),
            ("/rest/consume?subject=none", 400, 4007, "subject_invalid"),
            ("/rest/consume?subject=/a&nonsense=1", 400, 4002, "unknown_field"),
            ("/nothing", 404, 4040, "not_found"),
            ("/rest/produce?subject=/a", 405, 4041, "method_not_allowed"),
        ]:
            status, _, body = curl(URL + path)
            self.assertEqual((status, body["code"], body["name"], body["class"]), (expected, code, name, "rejected"))
            self.assertTrue(body["advice"])

    def test_consume_gives_snapshot_history_or_what_follows_a_position(self):
        subject = new_subject()
        self.assertEqual(consume(subject), ("fresh", []))
        for number in (1, 2, 3):
            produce(subject, f"m{number}", *BEARER, query=f"&closure=c{number}")
        recovery, [snapshot] = consume(subject)
        position = {"epoch": snapshot["epoch"], "seq": 3}
        flags = {"retained": True, "compressed": False}
        self.assertEqual(recovery, "fresh")
        self.assertEqual(snapshot, {"message_type": "SNAPSHOT", "content": "m3", "closure": "c3", **flags, **position})
        _, history = consume(subject, "&history=2")
        self.assertEqual([(m["message_type"], m["content"]) for m in history], [("HISTORICAL", "m2"), ("HISTORICAL", "m3")])
        recovery, following = consume(subject, f"&epoch={position['epoch']}&seq=1")
        self.assertEqual(recovery, "complete")
        self.assertEqual([(m["message_type"], m["seq"]) for m in following], [("RECOVERED", 2), ("RECOVERED", 3)])
        self.assertEqual(consume(subject, "&epoch=1&seq=1")[0], "reset")

    def test_retained_and_qos_and_bytes_travel(self):
        subject = new_subject()
        produce(subject, "kept", *BEARER)
        produce(subject, b"\xff\x00\xfe", *BEARER, query="&retained=false&closure=c")
        _, history = consume(subject, "&history=9")
        self.assertEqual((history[1]["content"], history[1]["encoding"], history[1]["retained"]), ("/wD+", "base64", False))
        self.assertEqual(consume(subject)[1][0]["content"], "kept")
        _, _, body = produce(subject, "gone", *BEARER, query="&qos=standard&retained=false")
        self.assertEqual(body["status"], "OK")
        self.assertEqual(len(consume(subject, "&history=9")[1]), 2)

    def test_long_polling_ends_with_the_next_message_or_with_none(self):
        subject = new_subject()
        self.assertEqual(consume(subject, "&wait=1"), ("fresh", []))
        produce(subject, "old", *BEARER)
        _, [old] = consume(subject)
        query = f"subject={subject}&epoch={old['epoch']}&seq={old['seq']}&wait=20"
        command = ["curl", "--silent", "--max-time", "30", f"{URL}/rest/consume?{query}"]
        poll = subprocess.Popen(command, stdout=subprocess.PIPE)
        with self.assertRaises(subprocess.TimeoutExpired):
            poll.wait(0.5)
        produce(subject, "news", *BEARER)
        messages = json.loads(poll.communicate()[0])["messages"]
        self.assertEqual([(m["message_type"], m["content"]) for m in messages], [("RECOVERED", "news")])

    def test_a_large_body_is_asked_for_before_it_is_sent(self):
        subject = new_subject()
        status, _, body = produce(subject, "x" * 60_000, *BEARER, "-H", "Expect: 100-continue")
        self.assertEqual((status, body["status"]), (200, "OK"))
        status, _, body = produce(subject, "chunks", *BEARER, "-H", "Transfer-Encoding: chunked")
        self.assertEqual((status, body["status"]), (200, "OK"))

    def test_both_versions_of_tls_serve_and_older_ones_do_not(self):
        for version in ("1.2", "1.3"):
            arguments = (f"--tlsv{version}", "--tls-max", version, "--cacert", CERTIFICATE)
            self.assertEqual(curl(*arguments, f"{TLS_URL}/health")[0], 200)
        ended = subprocess.run(["curl", "--silent", "--tls-max", "1.1", "--insecure", f"{TLS_URL}/health"], check=False)
        self.assertEqual(ended.returncode, 35, "curl's code for a handshake that failed")


class ServerSentEvents(unittest.TestCase):
    def test_a_stream_begins_with_the_snapshot_and_goes_on_live(self):
        subject = new_subject()
        produce(subject, "one", *BEARER, query="&closure=c")
        with Stream(f"subject={subject}") as stream:
            name, data, _ = stream.event()
            self.assertEqual((name, data["recovery"], data["seq"]), ("subscribed", "fresh", 1))
            name, data, _ = stream.event()
            self.assertEqual((name, data["type"], data["content"], data["closure"]), ("message", "snapshot", "one", "c"))
            self.assertNotIn("op", data)
            produce(subject, "two\nlines", *BEARER)
            name, data, _ = stream.event()
            self.assertEqual((name, data["type"], data["content"]), ("message", "update", "two\nlines"))

    def test_a_stream_resumes_behind_the_last_event_id(self):
        subjects = [new_subject(), new_subject()]
        query = "&".join(f"subject={subject}" for subject in subjects)
        with Stream(query) as stream:
            self.assertEqual([stream.event()[0], stream.event()[0]], ["subscribed", "subscribed"])
            produce(subjects[0], "one", *BEARER)
            _, _, last_id = stream.event()
        for number in range(5):
            produce(subjects[number % 2], f"missed {number}", *BEARER)
        for arguments in (("-H", f"Last-Event-ID: {last_id}"), ()):
            again = query if arguments else f"{query}&last_event_id={last_id}"
            with Stream(again, *arguments) as stream:
                events = [stream.event() for _ in range(7)]
                recoveries = [data["recovery"] for name, data, _ in events if name == "subscribed"]
                self.assertEqual(recoveries, ["complete", "complete"])
                messages = [data for name, data, _ in events if name == "message"]
                self.assertEqual({message["type"] for message in messages}, {"recovered"})
                for parity in (0, 1):
                    contents = [m["content"] for m in messages if m["subject"] == subjects[parity]]
                    self.assertEqual(contents, [f"missed {number}" for number in range(parity, 5, 2)])
        status, _, body = curl("-H", f"Last-Event-ID: {last_id}", f"{URL}/sse?subject={subjects[0]}")
        self.assertEqual((status, body["code"]), (400, 4003), "an id belongs to its list of subjects")

    def test_history_comes_first(self):
        subject = new_subject()
        for number in range(4):
            produce(subject, str(number), *BEARER)
        with Stream(f"subject={subject}&history=2") as stream:
            stream.event()
            contents = [(data["type"], data["content"]) for _, data, _ in (stream.event(), stream.event())]
            self.assertEqual(contents, [("historical", "2"), ("historical", "3")])


if __name__ == "__main__":
    unittest.main()
