"""Views of photographs: their centres and random parts of them."""

import cv2
import numpy as np

from gluon_etinynet.data.augment import views
from gluon_etinynet.data.images import preprocess, read_image, read_inputs


def test_views_are_all_centres_then_a_part_of_every_picture(tmp_path):
    random, files = np.random.RandomState(0), []
    for index, shape in enumerate([(60, 80, 3), (90, 50, 3), (64, 64, 3)]):
        files.append(tmp_path / f"{index}.png")
        # Red tells the pictures apart.
        picture = random.randint(0, 256, shape) // (1, 1, 8) + (0, 0, 64 * index)
        cv2.imwrite(str(files[-1]), picture.astype(np.uint8))
    found = views(files, 24, 2)
    assert found.shape == (9, 3, 24, 24) and found.dtype == np.int8
    centres = read_inputs(files, 24)
    np.testing.assert_array_equal(centres, [preprocess(read_image(path), 24) for path in files])
    np.testing.assert_array_equal(found[:3], centres)
    reds = (found[:, 0].astype(int) + 128).mean(axis=(1, 2)) // 64
    np.testing.assert_array_equal(reds, [0, 1, 2] * 3)
    assert len(np.unique(found.reshape(9, -1), axis=0)) == 9
    np.testing.assert_array_equal(views(files, 24, 2), found)
    np.testing.assert_array_equal(views(files, 24, 0), centres)
