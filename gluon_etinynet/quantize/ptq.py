"""Quantisation after training: from a float network and pictures without labels to a fake-quantised network.

The methods lie beside this module, a file each; here they are put in order.
"""

import numpy as np

from .._mxnet import mx
from ..files import InputError
from ..networks.blocks import copied
from ..networks.parameters import check_finite
from .equalise import equalise
from .qat import feature_map_quantisers, prepare_qat, quantised_convolutions
from .reconstruct import check_count, check_parts, reconstruct
from .rounding import fit_to_rounding

__all__ = ["quantise"]

FLAT = 2.0  # grey levels: a channel that varies less, in its standard deviation, shows nothing


def quantise(net, images, scheme="linear", weight_bits=8, act_bits=8, batch_size=32, **options):
    """Quantise a network by what it does on some hundred or thousand pictures, in place.

    * ``linear``, 8 bits: channels of alike range (equalise.py), weights rounded with regard to one another, BN
      fitted to the rounding (rounding.py). Seconds to minutes.
    * ``asq`` and ``dorefa``: weights learnt block by block (reconstruct.py). Many minutes.

    Parameters
    ----------
    net : EtinyNet or EtinyNetSSD
        Float; or, with ``linear``, with quantised weights, which stay as they are: then only the feature maps are
        quantised.
    images : numpy.ndarray of int8, shape (N, 3, rows, columns)
        ``pixel - 128``, of the size that the network is to be used at; at least one batch for ASQ and DoReFa.
    scheme : {"linear", "asq", "dorefa"}
    weight_bits : int
        2 to 8; ``linear`` has 8.
    act_bits : {8, None}
        None leaves the feature maps in float, for ASQ and DoReFa only.
    batch_size : int
    **options
        Of `reconstruct`, and ``per_channel`` and ``balance_channels`` of `prepare_qat`.

    Returns
    -------
    HybridBlock
        `net`, ready to be saved, trained on, and lowered.

    Raises
    ------
    InputError
        If a parameter is not finite, the pictures show nothing to learn from, or ASQ or DoReFa are asked of a network
        that is none of these.
    ValueError
        As `prepare_qat` and `reconstruct`; for `options` without a scheme that learns, for such a scheme if weights are
        quantised already.
    """
    check_finite(net)
    for name, conv in quantised_convolutions(net).items():
        if not np.isfinite(conv.quantised_weight()).all():
            raise InputError(f"{name}: its quantised weights are not finite; train or quantise the network anew")
    check_pictures(images)
    learns = scheme != "linear"
    if act_bits not in (8, None):
        raise ValueError(f"feature maps have 8 bits, or None, not {act_bits}")
    if options and not learns:
        raise ValueError(f"{', '.join(options)}: nothing is learnt; these are options of asq and dorefa")
    if scheme == "linear" and (weight_bits, act_bits) != (8, 8):
        raise ValueError(f"linear quantisation is of weights and maps of 8 bits, not {weight_bits} and {act_bits}")
    if learns:
        prepared = {name: options.pop(name) for name in ("per_channel", "balance_channels") if name in options}
        # Before anything changes: a network that has changed is not learnt from the beginning.
        check_parts(net)
        check_count(images, batch_size)
        if quantised_convolutions(net):
            raise ValueError(f"the network's weights are quantised already: {scheme} learns from a float one")
        float_net = copied(net)
        prepare_qat(net, scheme, weight_bits, lam=None, **prepared)
        reconstruct(float_net, net, images, batch_size=batch_size, **options)
    if act_bits:
        if not feature_map_quantisers(net):
            prepare_qat(net, scheme=None, act_bits=act_bits)
        equalise(net, [mx.nd.array(images[start:start + batch_size], dtype="float32")
                       for start in range(0, len(images), batch_size)])
        fit_to_rounding(net, images, batch_size)
    return net


def check_pictures(images):
    """Refuse pictures of which fewer than two show anything: black frames, or one picture again and again.

    Parameters
    ----------
    images : numpy.ndarray, shape (N, 3, rows, columns)
    """
    shown = {image.tobytes() for image in images if image.std(axis=(1, 2)).max() >= FLAT}
    if len(shown) < 2:
        raise InputError(f"of the {len(images)} pictures to calibrate with, {len(shown)} shows anything: the others "
                         "are of one colour or the same; give some hundred like those that the network will see")
