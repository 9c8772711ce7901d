"""EtinyNet-SSD: the network, its data, training and drawing. A wing that classifiers do without."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, {
    "ssd": "Detections EtinyNetSSD VOC_CLASSES",
    "training": "MultiBoxLoss detection_task load_detector round_to_8_bits start_detector",
    "evaluation": "GraphDetector average_precisions detect evaluate_detector",
    "dataset": "DetectionSource read_voc",
})
