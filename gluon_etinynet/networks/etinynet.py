"""EtinyNet: the linear depthwise block, the dense linear depthwise block, and the network.

Every convolution is followed by ReLU (where the paper has one) and then by batch normalisation:
conv -> ReLU -> BN, the order of the authors' released network. The paper's figure 2 leaves BN
out; docs/fidelity.md tells what follows from the order.
"""

from .._mxnet import mx
from .layers import IMAGE, Layer, Part, chain, layers_of

__all__ = ["LB", "DLB", "Stem", "EtinyNet", "FeatureTaps", "ClippedBatchNorm", "conv", "depthwise", "relu",
           "etinynet1_0", "etinynet0_75"]

nn = mx.gluon.nn
HybridBlock = mx.gluon.HybridBlock

# Output channels of every block of stages 1 to 4 in table 1. The second table is one of its own:
# 168 and 192 are not three quarters of 192 and 256.
WIDTHS_1_0 = [(32,) * 4, (128,) * 4, (192,) * 3, (256, 256, 512)]
WIDTHS_0_75 = [(24,) * 4, (96,) * 4, (168,) * 3, (192, 192, 384)]


class ClippedBatchNorm(nn.BatchNorm):
    """Batch normalisation whose output is limited to [-limit, limit].

    ``norm=functools.partial(ClippedBatchNorm, 12)`` is what the released detector backbone was made for.
    """

    def __init__(self, limit, **kwargs):
        super().__init__(**kwargs)
        self._limit = limit

    def hybrid_forward(self, F, *args, **kwargs):
        return F.clip(super().hybrid_forward(F, *args, **kwargs), -self._limit, self._limit)


def conv(in_channels, channels, kernel, stride=1, groups=1, bias=False):
    """A convolution that keeps the size at stride 1, initialised as He et al. 2015 (fan in)."""
    return nn.Conv2D(channels, kernel, strides=stride, padding=kernel // 2, groups=groups,
                     in_channels=in_channels, use_bias=bias,
                     weight_initializer=mx.init.MSRAPrelu(factor_type="in", slope=0))


def depthwise(channels, stride=1):
    """A depthwise 3x3 convolution."""
    return conv(channels, channels, 3, stride, groups=channels)


def relu(F, x):
    """ReLU by oneDNN, in the layout that its convolutions write; `F.relu` would bring every map to NCHW and back."""
    return F.Activation(x, act_type="relu")


class LB(HybridBlock):
    """Linear depthwise block: dw3x3 -> pw1x1 -> ReLU -> dw3x3 -> ReLU (equation 3, figure 2a).

    The first depthwise convolution is linear: no ReLU stands between it and the pointwise one.
    A BN follows the first depthwise convolution and each ReLU.

    Parameters
    ----------
    in_channels, channels : int
        Channels of the input and of the output.
    stride : int
        Stride of the first depthwise convolution.
    norm : callable
        Makes the BNs: called as ``norm(in_channels=channels)``.
    """

    def __init__(self, in_channels, channels, stride=1, norm=nn.BatchNorm, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dw1 = depthwise(in_channels, stride)
            self.bn1 = norm(in_channels=in_channels)
            self.pw = conv(in_channels, channels, 1)
            self.bn2 = norm(in_channels=channels)
            self.dw2 = depthwise(channels)
            self.bn3 = norm(in_channels=channels)

    def hybrid_forward(self, F, x):
        return self.second_half(F, self.first_half(F, x))

    def first_half(self, F, x):
        """Depthwise and pointwise convolution, the one linear map of equation 2, then ReLU."""
        return self.bn2(relu(F, self.pw(self.bn1(self.dw1(x)))))

    def second_half(self, F, x):
        """The second depthwise convolution and its ReLU."""
        return self.bn3(relu(F, self.dw2(x)))

    def layers(self, name, source):
        """Yield the block's layers (see layers.py)."""
        yield Layer(f"{name}.dw1", source, self.dw1, self.bn1, rounded=(self.bn1, "quantiser"))
        yield Layer(f"{name}.pw", f"{name}.dw1", self.pw, self.bn2, relu=True, rounded=(self.bn2, "quantiser"))
        yield Layer(name, f"{name}.pw", self.dw2, self.bn3, relu=True, rounded=(self.bn3, "quantiser"))


class DLB(LB):
    """Dense linear depthwise block: LB with two shortcuts (figure 2b).

    The first two convolutions count as one because no ReLU parts them. The block's input is
    added to their output where the shapes agree; that sum is added to the output of the second
    depthwise convolution, always. No ReLU follows an addition.

    Parameters
    ----------
    in_channels, channels, stride, norm
        As for `LB`.
    """

    def __init__(self, in_channels, channels, stride=1, norm=nn.BatchNorm, **kwargs):
        super().__init__(in_channels, channels, stride, norm, **kwargs)
        self.has_input_shortcut = stride == 1 and in_channels == channels

    def hybrid_forward(self, F, x):
        middle = self.first_half(F, x)
        if self.has_input_shortcut:
            middle = middle + x
        return middle + self.second_half(F, middle)

    def layers(self, name, source):
        """Yield the block's layers (see layers.py): it is the sums that are rounded, not their terms."""
        dw1, pw, dw2 = super().layers(name, source)
        yield dw1
        yield pw._replace(shortcut=source if self.has_input_shortcut else None, rounded=(self, "middle_quantiser"))
        yield dw2._replace(shortcut=pw.name, rounded=(self, "quantiser"))


class Stem(HybridBlock):
    """Conv 3x3 stride 2 -> ReLU -> BN -> max pooling 2x2 stride 2: the first two rows of table 1."""

    def __init__(self, channels, norm=nn.BatchNorm, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.conv = conv(3, channels, 3, stride=2)
            self.bn = norm(in_channels=channels)
            self.pool = nn.MaxPool2D(2, 2)

    def hybrid_forward(self, F, x):
        return self.pool(self.bn(relu(F, self.conv(x))))

    def layers(self, name, source):
        """Yield the one layer (see layers.py). Rounding and taking the maximum commute: the pooled map is rounded."""
        yield Layer(name, source, self.conv, self.bn, relu=True, rounded=(self.pool, "quantiser"), pool=self.pool)


class EtinyNet(HybridBlock):
    """EtinyNet of table 1, or a network of its shape with other widths or blocks.

    The input is a batch of RGB pictures as `pixel - 128`, shape (N, 3, H, W), with no further
    standardisation ("Training details"); the output is (N, classes) logits. Any H and W from 3
    up will do, odd ones too.

    Parameters
    ----------
    stem_channels : int
        Channels of the first convolution.
    stages : sequence of four sequences of int
        Output channels of each block, stage by stage. The first block of every stage but the
        first has stride 2.
    blocks : sequence of four block classes
        What each stage is made of: called as ``block(in_channels, channels, stride, norm=norm)``.
    classes : int
        Number of classes.
    norm : callable
        Makes the BNs: called as ``norm(in_channels=channels)``. See `ClippedBatchNorm`.

    Attributes
    ----------
    features : HybridSequential
        The stem, then stages 1 to 4: `features[2][0]` is the first block of stage 2.
    output : Conv2D
        The final 1x1 convolution, with a bias.
    """

    def __init__(self, stem_channels, stages, blocks=(LB, LB, DLB, DLB), classes=1000, norm=nn.BatchNorm,
                 **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential()
            with self.features.name_scope():
                self.features.add(Stem(stem_channels, norm))
                in_channels = stem_channels
                for number, (block, widths) in enumerate(zip(blocks, stages), start=1):
                    stage = nn.HybridSequential(prefix=f"stage{number}_")
                    with stage.name_scope():
                        for position, channels in enumerate(widths):
                            stride = 2 if position == 0 and number > 1 else 1
                            stage.add(block(in_channels, channels, stride, norm=norm))
                            in_channels = channels
                    self.features.add(stage)
            self.pool = nn.GlobalAvgPool2D()
            self.output = conv(in_channels, classes, 1, bias=True)

    def hybrid_forward(self, F, x):
        return F.flatten(self.output(self.pool(self.features(x))))

    def layers(self):
        """Yield the network's layers (see layers.py)."""
        source = IMAGE
        for layer in layers_of(self.features, "features", source):
            yield layer
            source = layer.name
        yield Layer("pool", source, rounded=(self.pool, "quantiser"), pool=self.pool)
        yield Layer("output", "pool", self.output)

    def parts(self):
        """Yield the network's parts (see layers.py): stem, every LB and DLB, pooling with the final convolution."""
        for name, block in chain(self.features, "features"):
            yield Part(name, block)
        tail = nn.HybridSequential()
        tail.add(self.pool, self.output, nn.Flatten())
        yield Part("output", tail)


class FeatureTaps(HybridBlock):
    """The feature maps of an EtinyNet at the given strides, for a detector's heads.

    Shares the blocks (and so the parameters) of the network it is made from, and leaves out the
    stages that no tap needs.

    Parameters
    ----------
    net : EtinyNet
    strides : sequence of int
        Any of 4, 8, 16 and 32, ascending: the ends of stages 1, 2, 3 and 4.

    Raises
    ------
    ValueError
        If a stride is none of these, or they do not ascend.
    """

    STAGE_OF_STRIDE = {4: 1, 8: 2, 16: 3, 32: 4}

    def __init__(self, net, strides=(4, 8, 16, 32), **kwargs):
        super().__init__(**kwargs)
        if not strides or list(strides) != sorted(set(strides) & set(self.STAGE_OF_STRIDE)):
            raise ValueError(f"strides must ascend and be among 4, 8, 16, 32; got {tuple(strides)}")
        self._tapped = [self.STAGE_OF_STRIDE[stride] for stride in strides]
        self.features = nn.HybridSequential(prefix=net.features.prefix)
        for stage in list(net.features)[:self._tapped[-1] + 1]:
            self.features.add(stage)

    def hybrid_forward(self, F, x):
        maps = []
        for number, stage in enumerate(self.features):
            x = stage(x)
            if number in self._tapped:
                maps.append(x)
        return maps


def etinynet1_0(**kwargs):
    """EtinyNet-1.0 of table 1; keyword arguments as for `EtinyNet`."""
    return EtinyNet(32, WIDTHS_1_0, **kwargs)


def etinynet0_75(**kwargs):
    """EtinyNet-0.75 of table 1; keyword arguments as for `EtinyNet`."""
    return EtinyNet(24, WIDTHS_0_75, **kwargs)
