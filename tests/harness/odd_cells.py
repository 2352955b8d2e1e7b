"""Likely and unlikely texts for the tests that compare the bulk pass with the careful one."""

#: What two surveys of one manifest must agree on.
SAME = (
    "rows", "valid", "invalid", "problems", "problems_total", "warnings", "warnings_total", "file_problems",
    "by_scene", "by_provider", "by_model", "by", "credits", "duplicates", "notes", "columns", "problem_codes",
    "warning_codes",
)  # fmt: skip
TEXTS = [
    "A cat asleep", "A dog", "", " ", "a, b", 'say "hi"', "two\nlines", "crlf\r\nhere", "{{ x }}", "Ã¤h", "ä",
    "\u00a0", "'=1", "x" * 2001, "x" * 999, "ü" * 1001, "\x7f", "\ufeffx", "\x1f", "日本", "a;b", "\u200b", "# no",
    "// no", "=A1",
]  # fmt: skip
URLS = [
    "https://cdn.example.com/a.png", "https://cdn.example.com/a.png?x=1", "http://cdn.example.com/a.png",
    "https://drive.google.com/file/d/1/view", "https://localhost/a.png", "https://10.0.0.1/a.png", "", " ",
    "C:\\a.png", "https://a.example/b/c", "https://a.example/x.mp4", "https://a.example/x.gif",
    "https://a.example/a.png https://b.example/b.png", '["https://a.example/a.png"]', "https://a.example",
    "https://a.example/x?X-Amz-Signature=1", "https://user@a.example/a.png", "https://a.example/a.png,",
    "https://a.example:99999/a.png", "https://a.b/", "HTTPS://A.example/a.png", "https://a.example/ä.png",
    "https://www.dropbox.com/s/x?dl=1", " https://a.example/a.png", "https://my-google.com/a.png",
    "https://a.local/a.png",
    "https://a.example/x.PNG", "https://a.example/a.png\nhttps://b.example/b.png", "https://i.imgur.com/a.png",
]  # fmt: skip
