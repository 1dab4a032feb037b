# Stands for python:3.x-slim: Debian's Python, and a pip that can be taken away.
FROM debian-base
RUN apt-get -qq update && \
    apt-get -qq install --yes --no-install-recommends ca-certificates python3 python3-venv tzdata > /dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin && \
    rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && \
    ln -s /usr/bin/python3 /usr/local/bin/python
RUN --mount=type=bind,target=/context \
    PYTHONPATH=/context/wheel python -m pip install --no-index --ignore-installed --quiet --root-user-action=ignore /context/pip-*.whl
COPY certificates.cr[t] /etc/ssl/certs/ca-certificates.crt
COPY pip.conf /etc/pip.conf
CMD ["python3"]
