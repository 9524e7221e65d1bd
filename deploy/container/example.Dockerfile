# Your application on top of Penstock's image:
#   docker build --file deploy/container/example.Dockerfile --tag penstock:demo .
# checkov:skip=CKV_DOCKER_2:the image below has the health check
# checkov:skip=CKV_DOCKER_3:the image below has the user
# checkov:skip=CKV_DOCKER_7:the tag stands in the line below
ARG PENSTOCK=penstock:0.1.0
FROM ${PENSTOCK}
# Libraries of yours: `COPY requirements.txt .` and
#   USER root
#   RUN python3 -m pip --python /opt/penstock/bin/python install --no-cache-dir --requirement requirements.txt
#   USER 10001:10001
# Applications are found in /app, the working directory, and among installed packages.
COPY examples/codeindex.py /app/examples/codeindex.py
ENV PENSTOCK_APP=examples.codeindex:index
