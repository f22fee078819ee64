# The service alone: Postgres is elsewhere (DATABASE_URL). Run `migrate` once before a new version serves.
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements/runtime.lock .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary=:all: -r runtime.lock

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /srv
COPY --from=build /venv /venv
COPY app app
USER 10001:10001
EXPOSE 8000
# One process a container: replicas scale it, and Prometheus sees each.
CMD ["python", "-m", "app", "serve", "--host", "0.0.0.0"]
