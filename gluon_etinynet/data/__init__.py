"""Pictures: reading, augmenting, batches, data sets by name."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, {
    "sources": "ArraySource FolderSource RecordSource",
    "datasets": "LabelledArrays cifar_npz digits imagenet_classes",
    "images": "index_folder photographs_below preprocess read_image",
})
