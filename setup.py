from setuptools import setup

setup(
    name="gluon_etinynet",
    version="0.1.0",
    description="EtinyNet (AAAI 2022) in MXNet/Gluon: training, 4-bit quantisation, export to C and Verilog ROMs",
    license="Apache-2.0",
    python_requires=">=3.8,<3.13",
    packages=["gluon_etinynet"],
    install_requires=[
        "numpy>=1.23,<2",  # mxnet 1.9.1 breaks on numpy 2
        "gluoncv==0.10.5.post0",  # the last release with the MXNet model zoo, SSD and VOC
        "opencv-python",  # image decoding and resizing, the same as MXNet's own
        "matplotlib",  # figures
        "tqdm",  # progress bars
        "setuptools; python_version>='3.12'",  # mxnet imports distutils
    ],
    extras_require={
        "cpu": ["mxnet==1.9.1"],  # GPU builds have other names (mxnet-cu112, ...): install yours instead
        "demo": ["scikit-learn"],  # the handwritten digits of the quickstart
        "onnx": ["onnx>=1.13.1,<=1.16.2", "protobuf==3.20.3"],  # the versions MXNet's exporter works with
        "test": ["pytest", "hypothesis", "scikit-learn"],
    },
)
