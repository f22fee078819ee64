"""The least that FastAPI can do: what a request costs before it asks for anything."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}
