#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of `kmidi serve` in a real browser: type, press, hear and see.

    browser.py URL SOUND.wav

drives a headless Chromium by chromedriver (W3C WebDriver, over the standard library alone) and
leaves with 1 at the first thing that is not as it should be. What must hold: the sound has a length
and plays, the piano roll has a size, the plan is said; a wrong key is said in red; a sound file is
judged; nothing is asked of another machine; the console has no errors.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
LONG = 120  # seconds, on a machine that is busy


def start_driver():
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    for line in driver.stdout:
        port = re.search(r"started successfully on port (\d+)", line)
        if port:
            return driver, f"http://127.0.0.1:{port[1]}"
    sys.exit("check-serve: chromedriver did not begin")


class Browser:
    def __init__(self, base):
        self.base = base
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--disable-dev-shm-usage"]
        found = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"}, "goog:chromeOptions": {"args": arguments}}}})
        self.session = "/session/" + found["sessionId"]

    def call(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=LONG) as answer:
            return json.load(answer)["value"]

    def ask(self, method, path, body=None):
        return self.call(method, self.session + path, body)

    def find(self, css):
        found = self.ask("POST", "/element", {"using": "css selector", "value": css})
        return "/element/" + found[ELEMENT]

    def type(self, css, text):
        at = self.find(css)
        if not css.endswith("file"):
            self.ask("POST", at + "/clear")
        self.ask("POST", at + "/value", {"text": text})

    def press(self, css):
        self.ask("POST", self.find(css) + "/click")

    def run(self, script):
        return self.ask("POST", "/execute/sync", {"script": "return " + script, "args": []})

    def wait(self, script, what):
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.1)
        sys.exit(f"check-serve: {what}; the page says: {self.run('document.body.innerText')}")


def check(url, sound):
    driver, base = start_driver()
    try:
        b = Browser(base)
        b.ask("POST", "/url", {"url": url + "/"})
        b.type("#words", "a joyful waltz in D major")
        b.type("#bars", "4")
        b.press("#go")
        b.wait("document.querySelector('#sound').duration > 3", "there is no sound")
        b.wait("document.querySelector('#sound').currentTime > 0.2", "the sound does not play")
        b.wait("document.querySelector('#roll')?.naturalWidth > 300", "there is no piano roll")
        said = b.run("document.querySelector('#said').textContent")
        for part in ("joy: waltz, D ionian", "4 bars", "melody by "):
            if part not in said:
                sys.exit(f"check-serve: '{part}' is not in: {said}")
        print("heard and seen:", said.replace("\n", "; "))
        b.type("#key", "H#")
        b.press("#go")
        b.wait("document.querySelector('#said.wrong')?.textContent.includes('is no key')", "a wrong key is not said")
        b.type("#file", os.path.abspath(sound))
        b.press("#listen")
        heard = b.wait("document.querySelector('#heard').textContent.includes('valence') && "
                       "document.querySelector('#heard').textContent", "the sound is not judged")
        print("judged:", heard.replace("\n", "; "))
        asked = b.run("performance.getEntriesByType('resource').map(e => e.name)")
        strangers = [a for a in asked if not a.startswith((url, "blob:" + url))]
        if strangers:
            sys.exit(f"check-serve: the page asks others: {strangers}")
        # The wrong key is refused with 422, which the browser lists as a failed load.
        errors = [e["message"] for e in b.ask("POST", "/se/log", {"type": "browser"})
                  if e["level"] == "SEVERE" and "422" not in e["message"] and "favicon" not in e["message"]]
        if errors:
            sys.exit(f"check-serve: the console has errors: {errors}")
        b.ask("DELETE", "")
    finally:
        driver.terminate()
        driver.wait()


if __name__ == "__main__":
    check(sys.argv[1], sys.argv[2])
