# One image: `docker run IMAGE train` is a SageMaker training job, `docker run IMAGE serve` an endpoint.
# Three layers on the base, the rarely changing ones first: nginx, the Python packages (pinned by hash),
# our program. A code change rebuilds and pushes the last one alone, which is well under a megabyte.
# No BuildKit-only syntax, so that any builder of the last years does.

# What trains: tensorflow or pytorch. The image has no other, and serves the models of both.
ARG FRAMEWORK=tensorflow
# cpu, or gpu: TensorFlow with NVIDIA's CUDA libraries, which trains on a GPU and still runs without one.
ARG ACCELERATOR=cpu
# Any Debian with Python 3.11 as python3; pin it by digest for an image that Debian's updates do not change:
# --build-arg BASE_IMAGE=python:3.11-slim-bookworm@sha256:... (docs/image.md).
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS tools
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*

FROM tools AS lock-tensorflow-cpu
COPY requirements/runtime.txt /tmp/locks/

FROM tools AS lock-tensorflow-gpu
COPY requirements/gpu.txt /tmp/locks/

# The second names PyTorch's own index; a wheel put into the folder saves the way there.
FROM tools AS lock-pytorch-cpu
COPY requirements/pytorch.txt requirements/torch.txt /tmp/locks/
COPY requirements/wheels /tmp/locks/wheels

FROM lock-${FRAMEWORK}-${ACCELERATOR} AS packages
ARG FRAMEWORK
# pip itself goes into the environment too: the SageMaker SDK v3 calls it for users' own requirements.
RUN python3 -m venv --without-pip /opt/venv \
    && printf '%s\n' 'pip==26.3 --hash=sha256:f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13' > /tmp/pip.txt \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --require-hashes -r /tmp/pip.txt \
    && for lock in /tmp/locks/*.txt; do \
         /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r $lock || exit 1; \
       done \
    && /opt/venv/bin/python -m pip check
# What no job reads: C++ headers, static libraries, libclang (TensorFlow names it and never loads it),
# the packages' own tests and programs (PyTorch asks for one of its own, and has a test that only newer Pythons
# compile), and the symbol tables of TensorFlow's libraries (those of other packages break when they are
# stripped, as their wheels were patched after linking): 0.7 GB less.
# Bytecode is compiled here because a read-only root cannot keep it; hashes instead of time stamps
# inside it, so that two builds hold the same files (-f: also of what pip has compiled of itself).
RUN cd /opt/venv/lib/python3*/site-packages \
    && rm -rf tensorflow/include nvidia/*/include clang */tests/ numpy/*/tests/ matplotlib/mpl-data/sample_data \
         torch/include torch/test torch/testing/_internal/py312_intrinsics.py \
    && find . \( -name '*.a' -o -path './torch/bin/*' ! -name torch_shm_manager \) -delete \
    && find . -path './tensorflow/*' -name '*.so*' -exec strip --strip-unneeded {} + \
    && PYTHONHASHSEED=0 /opt/venv/bin/python -m compileall -q -f --invalidation-mode unchecked-hash . \
    && KERAS_BACKEND=${FRAMEWORK#py} /opt/venv/bin/python -c \
         'import ctranslate2, flask, gunicorn, keras, matplotlib.pyplot, prometheus_client, sacrebleu, sentencepiece'

FROM ${BASE_IMAGE} AS program
COPY container /opt/program/container
COPY train /opt/program/train
COPY serve /opt/program/serve
# SageMaker runs `train` and `serve` by name: they must be executable, and a CR at the end of their
# shebang line (a checkout on Windows) would end in "executable file not found".
RUN cd /opt/program \
    && sed -i 's/\r$//' container/bin/* \
    && chmod -R a+rX . \
    && chmod a+x container/bin/* \
    && PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode checked-hash .

FROM ${BASE_IMAGE} AS base-cpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log

# The driver is the host's; these variables ask NVIDIA's container runtime to bring it in. TensorFlow finds its
# CUDA libraries by itself; CTranslate2 asks the loader for cuBLAS.
FROM base-cpu AS base-gpu
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib

FROM base-${ACCELERATOR}
# The program folder is on PYTHONPATH and not under /opt/ml, which SageMaker mounts over.
# Caches go to /tmp, the one place that is writable under every SageMaker mode.
ENV PATH=/opt/program/container/bin:/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/program \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /opt/program
EXPOSE 8080
COPY --from=packages /opt/venv /opt/venv
# What is inside, with versions and licences: docker run --rm IMAGE cat /opt/sbom.cdx.json
COPY requirements/sbom.py /opt/sbom.py
RUN python3 /opt/sbom.py > /opt/sbom.cdx.json
COPY --from=program /opt/program /opt/program
# The capability labels are promises that CreateModel asks for: in an endpoint of several containers each
# listens on a port of its own; a multi-model endpoint loads and unloads models by /models.
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      com.amazonaws.sagemaker.capabilities.multi-models=true \
      org.opencontainers.image.title="sagemaker-nmt-container" \
      org.opencontainers.image.description="Trains and serves a translation model on Amazon SageMaker" \
      org.opencontainers.image.licenses="GPL-3.0-only"
# build_and_push.sh gives both: the tag, and the date of the commit rather than that of the build.
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.created=$CREATED
ENV NMT_REVISION=$REVISION
# No ENTRYPOINT: SageMaker passes `train` or `serve` as the command; SDK v3 passes nothing to train.
CMD ["train"]
