# `builder` and `harness` with everything they need; your project is mounted at /project.
#   docker build -t edgebundle .
#   docker run --rm -v "$PWD:/project" -v edgebundle-cache:/cache edgebundle builder package . --target android -o dist
# A build argument such as --build-arg PIP_EXTRA_INDEX_URL=... gives a CPU build of PyTorch, 4 GB smaller.
FROM debian:12-slim
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_NO_CACHE_DIR=1
COPY . /opt/edgebundle
RUN /opt/edgebundle/scripts/setup.sh demo
ENV PATH=/opt/edgebundle/.venv/bin:$PATH EDGEBUNDLE_CACHE=/cache
WORKDIR /project
CMD ["builder", "--help"]
