# The engine, for CPU or GPU. Built from the top of the project:
#   docker build -f containers/engine.Dockerfile -t imbalance-lab-engine .
# torch is what the package index has, the CUDA build. For another one, the CPU build among them, name its index as README.md says:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=... -f containers/engine.Dockerfile -t imbalance-lab-engine .
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS packages
# What is installed besides requirements-engine.txt, as words for pip: compose.yaml adds PostgreSQL's list.
ARG EXTRAS=""
ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /srv/lab
COPY requirements*.txt LICENSE ./
# hadolint ignore=SC2086
RUN python -m venv /opt/lab && /opt/lab/bin/pip install --no-cache-dir -r requirements-engine.txt ${EXTRAS}
COPY engine engine
RUN /opt/lab/bin/python -m compileall -q engine

FROM ${BASE}
COPY --from=packages /opt/lab /opt/lab
COPY --from=packages /srv/lab /srv/lab
RUN install -d -o 10001 -g 10001 /data
# Only /data and /tmp are written to: the root may be read-only.
ENV PATH=/opt/lab/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    XDG_DATA_HOME=/data \
    XDG_CACHE_HOME=/data \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /srv/lab
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "engine", "doctor", "--alive"]
ENTRYPOINT ["python", "-m", "engine"]
CMD ["serve"]
