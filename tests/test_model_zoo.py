"""get_model, the released checkpoints, and loading that accounts for every array."""

import hashlib
import http.server
import os
import socket
import threading
from functools import partial

import numpy as np
import pytest

from gluon_etinynet import InputError, get_model, load_features, load_parameters, model_zoo, read_params
from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.etinynet import ClippedBatchNorm

CLASSIFIER = "0.6553-imagenet-mobilenet_lite313_477k_nownorm_4433_224-293-best.params"
DETECTOR = "0.6662_imagenet_etinynet_477k-294-best.params"


@pytest.fixture
def checkpoint(tmp_path):
    net = get_model("etinynet0.75", classes=5)
    net.initialize()
    net.save_parameters(str(tmp_path / "five.params"))
    return tmp_path / "five.params"


def parameters(net):
    return {name: p.data().asnumpy() for name, p in net._collect_params_with_prefix().items()}


def rewrite(path, change):
    arrays = dict(read_params(path))
    change(arrays)
    mx.nd.save(str(path), {name: mx.nd.array(array) for name, array in arrays.items()})


def test_unknown_name():
    with pytest.raises(InputError, match="etinynet2.0.*etinynet0.75.*etinynet1.0"):
        get_model("etinynet2.0")


def test_own_checkpoint_comes_back(checkpoint):
    net = get_model("etinynet0.75", classes=5, pretrained=checkpoint)
    arrays = read_params(checkpoint)
    assert parameters(net).keys() == arrays.keys()
    for name, array in parameters(net).items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("name, classes, word", [("etinynet1.0", 5, "shape"), ("etinynet0.75", 6, "output.weight"),
                                                 ("etinynet0.75_bottleneck", 5, "missing")])
def test_wrong_width_class_count_or_kind(checkpoint, name, classes, word):
    with pytest.raises(InputError, match=f"five.params does not fit.*{word}"):
        get_model(name, classes=classes, pretrained=checkpoint)


def test_missing_and_extra_arrays_are_named(checkpoint):
    rewrite(checkpoint, lambda arrays: arrays.pop("features.2.1.bn2.running_var"))
    with pytest.raises(InputError, match="features.2.1.bn2.running_var is missing"):
        get_model("etinynet0.75", classes=5, pretrained=checkpoint)
    rewrite(checkpoint, lambda arrays: arrays.update({"features.2.1.bn2.running_var": np.ones(96, np.float32),
                                                      "surplus": np.ones(1, np.float32)}))
    with pytest.raises(InputError, match="surplus is extra"):
        get_model("etinynet0.75", classes=5, pretrained=checkpoint)


def test_a_refused_checkpoint_leaves_the_network_alone(checkpoint):
    net = get_model("etinynet0.75", classes=6)
    net.initialize()
    before = parameters(net)
    with pytest.raises(InputError):
        load_parameters(net, checkpoint)
    for name, array in parameters(net).items():
        np.testing.assert_array_equal(array, before[name])


def test_features_for_other_classes(checkpoint):
    net = get_model("etinynet0.75", classes=9)
    net.initialize()
    before = parameters(net)
    load_features(net, checkpoint)
    after, arrays = parameters(net), read_params(checkpoint)
    for name in after:
        np.testing.assert_array_equal(after[name], before[name] if name.startswith("output") else arrays[name])


def test_released_classifier(weights_dir):
    path = weights_dir / CLASSIFIER
    assert hashlib.sha256(path.read_bytes()).hexdigest() == model_zoo.RELEASES["etinynet1.0"].sha256
    released = mx.nd.load(str(path))
    ours = parameters(get_model("etinynet1.0", pretrained=path))
    assert len(released) == len(ours) == 217
    assert sum(a.size for a in released.values()) == sum(a.size for a in ours.values()) == 976360
    # Parameters of both are in order of execution.
    for (name, array), (_, released_array) in zip(ours.items(), released.items()):
        np.testing.assert_array_equal(array, released_array.asnumpy(), err_msg=name)


def test_released_detector_backbone(weights_dir):
    path = weights_dir / DETECTOR
    assert hashlib.sha256(path.read_bytes()).hexdigest() == model_zoo.RELEASES["etinynet1.0_ssd_backbone"].sha256
    with pytest.raises(InputError, match="output.weight is missing"):
        get_model("etinynet1.0", pretrained=path)
    net = get_model("etinynet1.0", norm=partial(ClippedBatchNorm, 12))
    net.initialize()
    load_features(net, path)
    released = [array.asnumpy() for name, array in mx.nd.load(str(path)).items() if name.startswith("features")]
    ours = list(parameters(net.features).values())
    assert len(ours) == len(released) == 215
    for ours_array, released_array in zip(ours, released):
        np.testing.assert_array_equal(ours_array, released_array)


def test_nothing_released_under_that_name():
    with pytest.raises(InputError, match="no weights for etinynet0.75"):
        get_model("etinynet0.75", pretrained=True)
    with pytest.raises(InputError, match="1000 classes, not 10"):
        get_model("etinynet1.0", classes=10, pretrained=True)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on the loopback that stands for the authors' repository."""
    served = tmp_path / "served"
    served.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        hits = 0

        def do_GET(self):
            type(self).hits += 1
            content = (served / "weights").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:self.send_only])

        send_only = None

        def log_message(self, *arguments):
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{web.server_address[1]}/weights"

    def offer(path):
        (served / "weights").write_bytes(path.read_bytes())
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setitem(model_zoo.RELEASES, "etinynet0.75", model_zoo.Release(url, checksum))
        monkeypatch.setattr(model_zoo, "RELEASED_CLASSES", 5)
        return Handler

    yield offer
    web.shutdown()
    web.server_close()


def test_download_is_checked_cached_and_loaded(server, checkpoint, tmp_path):
    handler = server(checkpoint)
    for _ in range(2):
        net = get_model("etinynet0.75", classes=5, pretrained=True, root=str(tmp_path / "cache"))
    assert handler.hits == 1
    assert parameters(net).keys() == read_params(checkpoint).keys()
    assert [f.name[:13] for f in (tmp_path / "cache").iterdir()] == ["etinynet0.75-"]


def test_partial_download_leaves_nothing(server, checkpoint, tmp_path):
    server(checkpoint).send_only = 1000
    with pytest.raises(InputError, match="etinynet0.75-"):
        get_model("etinynet0.75", classes=5, pretrained=True, root=str(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("answer", [b"", b"no HTTP\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort"])
def test_a_server_that_hangs_up_is_one_line(answer, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(answer)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/weights"
        monkeypatch.setitem(model_zoo.RELEASES, "etinynet1.0", model_zoo.Release(url, "0" * 64))
        with pytest.raises(InputError, match="cannot download .*put it at"):
            get_model("etinynet1.0", pretrained=True, root=str(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_damaged_cache_is_fetched_again(server, checkpoint, tmp_path):
    server(checkpoint)
    get_model("etinynet0.75", classes=5, pretrained=True, root=str(tmp_path / "cache"))
    cached, = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:-1])
    get_model("etinynet0.75", classes=5, pretrained=True, root=str(tmp_path / "cache"))
    assert cached.read_bytes() == checkpoint.read_bytes()


def test_no_network(monkeypatch, tmp_path):
    monkeypatch.setitem(model_zoo.RELEASES, "etinynet1.0",
                        model_zoo.Release("http://127.0.0.1:9/nothing", "0" * 64))
    with pytest.raises(InputError, match=r"without network.*put it at .*etinynet1.0-00000000.params"):
        get_model("etinynet1.0", pretrained=True, root=str(tmp_path))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
def test_cache_that_cannot_be_written(server, checkpoint, tmp_path):
    server(checkpoint)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="cannot write .*file"):
        get_model("etinynet0.75", classes=5, pretrained=True, root=str(tmp_path / "file" / "cache"))
