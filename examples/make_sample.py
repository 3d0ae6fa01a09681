#!/usr/bin/env python3
"""Writes examples/sample.jsonl: varied chat requests, the same ones each time."""

import json
import pathlib
import random

COUNT = 240
MODEL = "simulated-model"
SUBJECTS = [
    "the tides", "a sourdough starter", "prime numbers", "the Silk Road", "garbage collection", "a chess opening",
    "photosynthesis", "double-entry bookkeeping", "volcanoes", "train timetables", "the viola", "knots",
]
TASKS = [
    "Explain {} to a ten-year-old.", "Write a haiku about {}.", "List three common mistakes about {}.",
    "Translate 'I like {}' into French.", "Erkläre {} in zwei Sätzen.", "用一句话介绍 {}。", "¿Por qué importa {}?",
    "Summarise {} as \"one quoted line\".\nThen add a second line.", "Écris un slogan pour {} 🚀",
]
SYSTEMS = [None, "You are terse.", "You are a patient teacher.", "Answer as JSON: {\"answer\": \"...\"}"]


def main():
    rng = random.Random(20240501)
    lines = []
    for index in range(COUNT):
        prompt = rng.choice(TASKS).format(rng.choice(SUBJECTS))
        if index % 20 == 0:
            prompt += " " + "Background: " + " ".join(rng.choice(SUBJECTS) for _ in range(200))
        system = rng.choice(SYSTEMS)
        messages = ([{"role": "system", "content": system}] if system else []) + [{"role": "user", "content": prompt}]
        body = {"model": MODEL, "messages": messages, "max_tokens": rng.choice([8, 16, 32, 64])}
        if index % 3 == 0:
            body["temperature"] = rng.choice([0, 0.2, 0.7])
        custom_id = rng.choice(["request-{}", "row/{}", "été-{}", "{}"]).format(index)
        lines.append({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body})
    text = "".join(json.dumps(line, ensure_ascii=line["custom_id"].isdigit()) + "\n" for line in lines)
    pathlib.Path(__file__).with_name("sample.jsonl").write_text(text, encoding="utf-8")


main()
