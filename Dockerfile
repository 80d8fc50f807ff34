# Akeso's image: Debian with its Python, what requirements-runtime.lock pins, and Akeso.
#   buildah bud -t akeso .        or: docker build -t akeso .
# A layer each for Debian's Python, the packages and Akeso: an upgrade mostly fetches the last.
# docs/install.md tells what is in it and why.
ARG BASE=debian:12-slim

FROM ${BASE} AS python
RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
      ca-certificates python3-minimal libpython3-stdlib \
 && echo 'akeso:x:65532:65532::/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'akeso:x:65532:' >> /etc/group \
 && rm -rf /var/lib/apt/lists /var/cache/apt /var/cache/debconf/*-old /var/cache/ldconfig \
      /var/log/apt /var/log/*.log /var/lib/dpkg/*-old

# The image's packages, with what is of no use at run time taken away: tests, sources of compiled
# modules, symbols of debuggers, bytecode of the API clients' generated models, which Akeso never
# loads. Bytecode is made here, because at run time there is nowhere to write it.
FROM python AS packages
RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
      binutils python3-pip
# pip's own settings, for those who build behind a mirror or from a folder of wheels.
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
COPY requirements-runtime.lock /
RUN python3 -m venv --without-pip /opt/akeso \
 && pip --python /opt/akeso/bin/python install -q --no-cache-dir --no-compile \
      --require-hashes --only-binary :all: -r /requirements-runtime.lock \
 && find /opt/akeso/bin -type f -delete \
 && find /opt/akeso/lib -depth \( -type d \( -name tests -o -name sample_data \) -o -name '*.pyi' \
      -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' -o -name '*.a' \) \
      -exec rm -rf {} + \
 && find /opt/akeso/lib -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} + \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/client/(api|models)/[a-z]' /opt/akeso/lib

FROM packages AS akeso
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
COPY requirements-image.lock /
RUN python3 -m venv --without-pip /tools \
 && pip --python /tools/bin/python install -q --no-cache-dir --require-hashes \
      --only-binary :all: -r /requirements-image.lock
COPY . /source
WORKDIR /source
RUN /tools/bin/hatchling build -t wheel -d /wheel \
 && pip --python /opt/akeso/bin/python install -q --no-compile --no-deps --no-index \
      --prefix /akeso /wheel/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /akeso/lib
COPY --from=python /var/lib/dpkg/status /debian-packages
RUN mkdir -p /akeso/share/akeso \
 && PYTHONPATH=/akeso/lib/python3.11/site-packages /tools/bin/cyclonedx-py environment \
      --pyproject pyproject.toml --mc-type application --output-reproducible --sv 1.6 \
      -o /python.json /opt/akeso \
 && /tools/bin/python image/sbom.py /python.json /debian-packages /akeso/share/akeso/sbom.cdx.json

FROM python
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="akeso" \
      org.opencontainers.image.description="Self-healing operator for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Whatever wants to write (plots keep a font cache) writes to /tmp: the root may be read-only.
# Linear algebra starts a thread for each core of the node, whatever CPU the container may use; products
# are small here, so the threads would mostly wait for each other. `extraEnv` of the chart overrides it.
ENV PATH=/opt/akeso/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    OPENBLAS_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=packages /opt/akeso /opt/akeso
COPY --from=akeso /akeso /opt/akeso
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["/opt/akeso/bin/akeso"]
CMD ["operator"]
