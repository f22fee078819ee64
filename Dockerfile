# The service alone; Postgres is elsewhere (DATABASE_URL). docs/operations.md says how the image is built and run.
# A build that others can repeat names the base by its digest: --build-arg BASE=python:3.13-slim@sha256:…
# checkov:skip=CKV_DOCKER_7: the base is an argument, whose default has a version
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
COPY requirements/runtime.lock .
# The environment gets no pip of its own: that of the base installs into it.
RUN python3 -m venv --without-pip /venv \
 && python3 -m pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check --no-deps \
    --require-hashes --only-binary=:all: --no-compile --requirement runtime.lock \
 && find /venv -depth \( -name tests -o -path '*/alembic/testing' -o -path '*/sqlalchemy/testing' -o -name test_cases.py \
        -o -path '*/aiohttp/*test_*.py' -o -path '*/aiohttp/pytest_plugin.py' -o -name '*.c' -o -name '*.pyx' -o -name '*.pxd' \) \
    -exec rm -rf {} +
COPY app /srv/app
COPY LICENSE /srv/
# Nothing can be compiled where it runs, as nothing can be written there. Hashes instead of times, so that two builds are equal.
RUN find /srv -name __pycache__ -prune -exec rm -rf {} + \
 && PYTHONHASHSEED=0 /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /venv/lib /srv/app \
 && chmod -R u=rwX,go=rX /srv /venv

FROM ${BASE}
ARG BASE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Partwise" \
      org.opencontainers.image.description="Which client relationships to mend, which to part with, and why" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# What only installs and compiles is of no use to it, but may be to somebody else. The standard library comes without bytecode.
RUN find / -xdev -depth \( -path '*/site-packages/pip*' -o -path '*/dist-packages/pip*' -o -name ensurepip \
        -o -name idlelib -o -name turtledemo -o -path '/usr/local/bin/pip*' -o -path '/usr/bin/pip*' \) -exec rm -rf {} + \
 && stdlib="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash -x '/(site|dist)-packages/|/lib2to3/tests/' "${stdlib}"
COPY --from=build /venv /venv
COPY --from=build /srv /srv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PARTWISE_HOST=0.0.0.0 \
    PARTWISE_METRICS_PORT=9464 \
    PARTWISE_COMMIT=${REVISION}
WORKDIR /srv
# Nobody's number: it owns no file, and writes to /tmp alone.
USER 10001:10001
EXPOSE 8000 9464
# The operators' port, which a server and a worker both have.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-m", "app.cli.probe"]
# One process a container: replicas scale it, and Prometheus sees each.
CMD ["python", "-m", "app", "serve"]
