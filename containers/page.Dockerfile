# The page alone, without torch. Built from the top of the project:
#   docker build -f containers/page.Dockerfile -t imbalance-lab-page .
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS packages
# What is installed besides requirements-page.txt, as words for pip: compose.yaml adds PostgreSQL's and sign-in's.
ARG EXTRAS=""
WORKDIR /srv/lab
COPY requirements*.txt LICENSE ./
# hadolint ignore=SC2086
RUN python -m venv /opt/lab && /opt/lab/bin/pip install --no-cache-dir -r requirements-page.txt ${EXTRAS}
COPY app app
COPY engine engine
RUN /opt/lab/bin/python -m compileall -q app engine

FROM ${BASE}
COPY --from=packages /opt/lab /opt/lab
COPY --from=packages /srv/lab /srv/lab
RUN install -d -o 10001 -g 10001 /data
# Only /data and /tmp are written to: the root may be read-only.
ENV PATH=/opt/lab/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XDG_DATA_HOME=/data \
    XDG_CACHE_HOME=/data \
    LAB_ENGINE=off
USER 10001:10001
WORKDIR /srv/lab
VOLUME /data
EXPOSE 8501
STOPSIGNAL SIGTERM
# Whether it lives. Whether it can serve (an engine lives too) is what /api/health says.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
ENTRYPOINT ["python", "-m", "app.launch"]
CMD ["--host", "0.0.0.0", "--port", "8501"]
