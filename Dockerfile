# laar on GPUs: Ray's own LLM image with laar's packages on top. Not built here: there is no container engine, and no registry of images
# could be asked whether the tag exists. Ray's LLM images are for Python 3.12 alone.
# docker build -t laar:0.1.0 --build-arg BASE=rayproject/ray-llm:2.60.0-py312-cu130@sha256:DIGEST .
ARG BASE=rayproject/ray-llm:2.60.0-py312-cu130
FROM ${BASE}

USER 0
WORKDIR /app
COPY --chown=1000:100 pyproject.toml README.md LICENSE ./
COPY --chown=1000:100 profiles profiles
COPY --chown=1000:100 deployments deployments
COPY --chown=1000:100 serve_app serve_app
COPY --chown=1000:100 scripts scripts
COPY requirements/gpu.txt requirements/gpu.txt
RUN python -m pip install --no-cache-dir --no-deps -r requirements/gpu.txt \
    && python -m pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && python -c "import serve_app.app" \
    && ln -s "$(command -v laar-haproxy)" /usr/local/bin/laar-haproxy
ENV RAY_SERVE_THROUGHPUT_OPTIMIZED=1 \
    RAY_SERVE_ENABLE_HA_PROXY=1 \
    RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S=660 \
    RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S=60 \
    RAY_SERVE_HAPROXY_BINARY_PATH=/usr/local/bin/laar-haproxy \
    RAY_USAGE_STATS_ENABLED=0
USER 1000
