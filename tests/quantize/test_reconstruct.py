"""Quantised networks learnt block by block: parts, loss, damping, resumption, detectors."""

import numpy as np
import pytest
from five_blocks import copy_of, difference, images, small_net
from running import largest_file
from small_networks import small_detector, small_detector_pictures

from gluon_etinynet._mxnet import mx
from gluon_etinynet.files import InputError
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.blocks import copied
from gluon_etinynet.quantize.qat import prepare_qat, quantised_convolutions
from gluon_etinynet.quantize.reconstruct import reconstruct


def pixels(count):
    return images(count).asnumpy().astype(np.int8)


def test_parts_make_up_the_network():
    net = small_net()
    x = images(4)
    out = x
    for part in net.parts():
        out = part.block(out)
    np.testing.assert_allclose(out.asnumpy(), net(x).asnumpy(), rtol=1e-5, atol=1e-5)


def raw_predictions(net, x):
    """Class logits and box codes, with the BNs' running statistics."""
    return mx.gluon.HybridBlock.forward(net, x)[:2]


def test_parts_make_up_a_detector():
    """Predictors read the map of their stage, and what follows reads it too."""
    net, x = small_detector(), small_detector_pictures()
    maps, found = x, []
    for part in net.parts():
        out = part.block(maps)
        if part.feeds:
            maps = out
        else:
            found.append((part.name, out.transpose((0, 2, 3, 1)).reshape((len(x), -1)).asnumpy()))
    expected = [array.asnumpy() for array in raw_predictions(net, x)]
    for heads, whole in zip(("class", "box"), expected):
        got = np.concatenate([values for name, values in found if name.startswith(heads)], axis=1)
        np.testing.assert_allclose(got, whole.reshape(len(x), -1), rtol=1e-4, atol=1e-4)


def test_reconstruction_brings_a_detector_back():
    fitted, pictures = small_detector(), small_detector_pictures(32)
    reestimate_batch_norm(fitted, [pictures])
    net = copied(fitted)
    started = copied(prepare_qat(fitted, "asq", 2, lam=None))
    reestimate_batch_norm(started, [pictures])
    losses = reconstruct(net, fitted, pictures.asnumpy().astype(np.int8), steps=20, batch_size=16,
                         report=lambda line: None)
    assert list(losses)[-1] == "box_predictors.3" and sum(name.startswith("class") for name in losses) == 4
    for before, after, aim in zip(*(raw_predictions(each, pictures) for each in (started, fitted, net))):
        assert mx.nd.square(after - aim).mean() < 0.8 * mx.nd.square(before - aim).mean()


def test_a_channel_that_is_silent_in_the_pictures_is_not_made_loud_by_others():
    """Its variance in them is 0; the float network's says by how much it may be multiplied at most."""
    net = small_net()
    name, block = [(part.name, part.block) for part in net.parts()][1]
    weight, beta = block.pw.weight.data(), block.bn1.beta.data()
    weight[0], beta[:] = -1, 100  # what comes in is positive, what comes out negative, and cut off
    block.pw.weight.set_data(weight)
    block.bn1.beta.set_data(beta)
    variance = block.bn2.running_var.data()[0].asscalar()
    fitted = prepare_qat(copy_of(net), "asq", 4)
    reconstruct(net, fitted, pixels(32), steps=2, batch_size=16, report=lambda line: None)
    found, = (part.block.bn2.running_var.data()[0].asscalar() for part in fitted.parts() if part.name == name)
    assert found >= 0.099 * variance > 0


def test_a_channel_that_never_fired_in_the_float_networks_training_stays_silent():
    """Divided by the root of epsilon, the first picture in which rounded weights wake it up would drown all others."""
    net = small_net()
    name, block = [(part.name, part.block) for part in net.parts()][1]
    variance = block.bn2.running_var.data()
    variance[0] = 0
    block.bn2.running_var.set_data(variance)
    fitted = prepare_qat(copy_of(net), "asq", 4)
    reconstruct(net, fitted, pixels(32), steps=2, batch_size=16, report=lambda line: None)
    gamma, = (part.block.bn2.gamma.data().asnumpy() for part in fitted.parts() if part.name == name)
    assert gamma[0] == 0 and (gamma[1:] != 0).all()


def test_a_map_that_leaves_float16_is_named():
    net = small_net()
    name, block = [(part.name, part.block) for part in net.parts()][1]
    block.bn3.gamma.set_data(1e7 * block.bn3.gamma.data())
    with pytest.raises(InputError, match=f"float network's {name} puts out is no number, or more than float16 holds"):
        reconstruct(net, prepare_qat(copy_of(net), "asq", 4), pixels(32), steps=0, batch_size=16)


def test_weights_that_are_no_numbers_are_a_divergence():
    """The ReLU behind them makes zeros of what they compute, and the loss is a number."""
    net = small_net()
    fitted = prepare_qat(copy_of(net), "asq", 4)
    name, block = [(part.name, part.block) for part in fitted.parts()][1]
    block.pw.weight.set_data(np.nan * block.pw.weight.data())
    with pytest.raises(InputError, match=f"^reconstruction diverged in {name}; choose a lower learning rate"):
        reconstruct(net, fitted, pixels(32), steps=1, batch_size=16, report=lambda line: None)


def test_reconstruction_brings_the_network_back_and_can_be_taken_up_again(tmp_path):
    net = small_net()
    options = dict(steps=30, batch_size=16, report=lambda line: None)
    started = prepare_qat(copy_of(net), "asq", 2)
    reestimate_batch_norm(started, [images(64)])
    whole = prepare_qat(copy_of(net), "asq", 2)
    losses = reconstruct(net, whole, pixels(64), **options)
    assert list(losses) == [part.name for part in net.parts()]
    assert sum(last < first for first, last in losses.values()) >= 5
    assert difference(whole, net, images(16, 5)) < difference(started, net, images(16, 5))

    class Stop(Exception):
        pass

    def stop_at_third(line):
        if line.startswith("features.2.0"):
            raise Stop

    resumed = prepare_qat(copy_of(net), "asq", 2)
    with pytest.raises(Stop):
        reconstruct(net, resumed, pixels(64), state_dir=tmp_path, **{**options, "report": stop_at_third})
    resumed = prepare_qat(copy_of(net), "asq", 2)
    lines = []
    assert reconstruct(net, resumed, pixels(64), state_dir=tmp_path, **{**options, "report": lines.append}) == losses
    assert len(lines) == len(losses) - 3
    np.testing.assert_array_equal(resumed(images()).asnumpy(), whole(images()).asnumpy())
    with pytest.raises(ValueError, match="other settings"):
        reconstruct(net, prepare_qat(copy_of(net), "asq", 2), pixels(64), state_dir=tmp_path,
                    **{**options, "steps": 31})
    # Only the network differs: its first parts would be those of the kept run.
    unbalanced = prepare_qat(copy_of(net), "asq", 2, balance_channels=False)
    with pytest.raises(ValueError, match="network"):
        reconstruct(net, unbalanced, pixels(64), state_dir=tmp_path, **options)
    with pytest.raises(ValueError, match="fewer than one batch"):
        reconstruct(net, resumed, pixels(8), **options)


def test_damping_keeps_weights_off_the_boundaries_between_levels():
    net = small_net()
    errors = {}
    for damping in (0, 0.3):
        student = prepare_qat(copy_of(net), "asq", 3)
        reconstruct(net, student, pixels(64), steps=60, damping=damping, report=lambda line: None)
        errors[damping] = np.mean([layer.rounding_error().asscalar()
                                   for layer in quantised_convolutions(student).values()])
    assert errors[0] > 1.3 / 12  # 1 / 12 would be anywhere between the levels
    assert errors[0.3] < 0.75 * errors[0]


def test_a_full_disk_keeps_no_half_state(tmp_path):
    net, options = small_net(), dict(steps=2, batch_size=16, report=lambda line: None)
    whole, quantised = (prepare_qat(copy_of(net), "asq", 2) for _ in range(2))
    losses = reconstruct(net, whole, pixels(64), **options)
    with largest_file(3000), pytest.raises(InputError, match=r"cannot write \S+/reconstruct-01.params: .*free some"):
        reconstruct(net, quantised, pixels(64), state_dir=tmp_path, **options)
    assert not list(tmp_path.iterdir())
    again = prepare_qat(copy_of(net), "asq", 2)
    assert reconstruct(net, again, pixels(64), state_dir=tmp_path, **options) == losses
    np.testing.assert_array_equal(again(images()).asnumpy(), whole(images()).asnumpy())
