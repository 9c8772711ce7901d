"""Pictures: reading, augmenting, batches, data sets by name."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, {
    "sources": "ArraySource FolderSource Loading RecordSource",
    "datasets": "LabelledArrays cifar_npz digits imagenet_classes labels_of",
    "images": "index_folder pictures_below preprocess read_image read_inputs",
})
