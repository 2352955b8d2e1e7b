"""The same faulty service, bought from by others: what a usual httpx loop and the openai SDK pay twice.

A program of its own: `python tests/whole/proof/peers.py NAME BASE_URL KEY MANIFEST` buys every row, and prints how
many have an id at the end. openai is only needed for its own line.
"""

import csv
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx


def requests_of(manifest: Path) -> list[dict]:
    with manifest.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = ("provider", "model", "scene", "prompt")
    return [
        {key: row[key] for key in keys} | {key: [row[key]] for key in ("image_input", "video_input") if row[key]}
        for row in rows
    ]


def httpx_loop(base_url: str, key: str, retries: int):
    """Up to `retries` more tries after an exception or a 5xx or 429: what most scripts do."""
    client = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=5)

    def buy(request: dict) -> bool:
        for _ in range(1 + retries):
            try:
                answer = client.post(f"{base_url}/v1/videos/generations", json=request)
                if answer.status_code < 429:
                    return bool(answer.json().get("id"))
            except (httpx.HTTPError, ValueError):
                continue
        return False

    return buy


def openai_sdk(base_url: str, key: str):
    """The SDK's own transport with its own defaults (two retries)."""
    import openai

    client = openai.OpenAI(base_url=base_url + "/v1", api_key=key, timeout=5)

    def buy(request: dict) -> bool:
        try:
            return bool(client.post("/videos/generations", cast_to=dict, body=request).get("id"))
        except (openai.OpenAIError, ValueError):
            return False

    return buy


def main() -> int:
    name, base_url, key, manifest = sys.argv[1:]
    buyers = {
        "httpx-loop": lambda: httpx_loop(base_url, key, 3),
        "httpx-once": lambda: httpx_loop(base_url, key, 0),
        "openai": lambda: openai_sdk(base_url, key),
    }
    buy = buyers[name]()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(buy, requests_of(Path(manifest))))
    print(json.dumps({"done": sum(done), "undone": len(done) - sum(done)}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
