# syntax=docker/dockerfile:1
# The booking service, the reference upstream. From the root of the repository:
#   docker build -f deploy/docker/booking-api.Dockerfile -t msil-booking-api .
ARG PYTHON_IMAGE=docker.io/library/python:3.11.15-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/setup && python3 -m venv --without-pip /opt/booking-api
WORKDIR /src
COPY requirements-booking.txt ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/run/ca.pem \
    if [ -s /run/ca.pem ]; then export PIP_CERT=/run/ca.pem; fi; \
    /opt/setup/bin/python -m pip --python /opt/booking-api/bin/python install --quiet \
        --only-binary :all: --require-hashes -r requirements-booking.txt
COPY src/booking_api /opt/booking-api/lib/python3.11/site-packages/booking_api
RUN /opt/booking-api/bin/python -m compileall -q /opt/booking-api

FROM ${PYTHON_IMAGE} AS booking-api
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="Booking service" \
      org.opencontainers.image.description="The reference upstream of MSIL MCP Server, with synthetic data" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
RUN groupadd --gid 10001 msil \
    && useradd --uid 10001 --gid msil --no-create-home --home-dir /tmp --shell /usr/sbin/nologin msil \
    && install --directory --owner=msil --group=msil --mode=0700 /data
COPY --from=build /opt/booking-api /opt/booking-api
ENV PATH=/opt/booking-api/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    BOOKING_HOST=0.0.0.0 \
    BOOKING_PORT=8001 \
    BOOKING_DATA_DIR=/data
WORKDIR /tmp
USER 10001:10001
VOLUME ["/tmp", "/data"]
EXPOSE 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"BOOKING_PORT\"]}/health', timeout=3)"]
CMD ["python", "-m", "booking_api"]
