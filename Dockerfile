# docker build -t batchgen .
# docker run --rm -v batchgen-spring:/data -v "$PWD/manifests:/manifests:ro" -e BATCHGEN_API_KEY batchgen \
#     run /manifests/spring.csv --out /data/spring --yes --max-credits 500
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY batchgen ./batchgen
COPY schemas ./schemas
RUN python -m venv /opt/batchgen \
    && /opt/batchgen/bin/pip install --no-cache-dir --disable-pip-version-check . \
    && /opt/batchgen/bin/pip uninstall --yes --quiet pip \
    && find /opt/batchgen -type d -name tests -path '*site-packages*' -prune -exec rm -rf {} +

FROM python:3.13-slim
COPY --from=build /opt/batchgen /opt/batchgen
# OUT lies in the volume: it outlives the container. Nobody but this user can read the ledger there.
RUN useradd --uid 10001 --user-group --create-home --home-dir /data batchgen
ENV PATH=/opt/batchgen/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Docker kills ten seconds after SIGTERM; by then it is written down what was on its way. With a longer
# stop period (docs/use/pipeline.md) set it higher: what is waited for is not in doubt.
ENV BATCHGEN_GRACE=8s
USER 10001:10001
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["batchgen"]
CMD ["--help"]
