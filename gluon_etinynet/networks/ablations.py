"""The two variants of "Effectiveness of the proposed building blocks".

The paper names the variants and not their details. What is chosen here, and why:

*Inverted bottleneck*: "the widely applied inverted bottleneck block that is used in MobileNetV2 and
EfficientNet, while keeping a similar number of parameters". The block is MobileNetV2's with its
expansion of 6, in the same places and with the same strides. Its parameters, too, grow with the
square of the width, with a larger factor: a quarter of the width gives the same number (1.1 % more
for 1.0, 0.2 % fewer for 0.75). Stem and last block keep their width, and with it the classifier,
which is half of all parameters.

*Non-linear*: a ReLU after the first depthwise convolution of every block, before the BN that
stands there already.
"""

from .._mxnet import mx
from .etinynet import DLB, LB, WIDTHS_0_75, WIDTHS_1_0, EtinyNet, conv, depthwise, relu

__all__ = ["InvertedBottleneck", "NonlinearLB", "NonlinearDLB", "etinynet1_0_bottleneck",
           "etinynet0_75_bottleneck", "etinynet1_0_nonlinear", "etinynet0_75_nonlinear"]

EXPANSION = 6


class InvertedBottleneck(mx.gluon.HybridBlock):
    """MobileNetV2's block: pw1x1 to six times the width -> dw3x3 -> pw1x1, shortcut where shapes agree.

    Conv -> BN -> ReLU6, as MobileNetV2 has it, and no activation after the last convolution.

    Parameters
    ----------
    in_channels, channels : int
        Channels of the input and of the output.
    stride : int
        Stride of the depthwise convolution.
    norm : callable
        As for `LB`.
    """

    def __init__(self, in_channels, channels, stride=1, norm=mx.gluon.nn.BatchNorm, **kwargs):
        super().__init__(**kwargs)
        hidden = EXPANSION * in_channels
        self.has_shortcut = stride == 1 and in_channels == channels
        with self.name_scope():
            self.expand = conv(in_channels, hidden, 1)
            self.bn1 = norm(in_channels=hidden)
            self.dw = depthwise(hidden, stride)
            self.bn2 = norm(in_channels=hidden)
            self.project = conv(hidden, channels, 1)
            self.bn3 = norm(in_channels=channels)

    def hybrid_forward(self, F, x):
        out = F.clip(self.bn1(self.expand(x)), 0, 6)
        out = F.clip(self.bn2(self.dw(out)), 0, 6)
        out = self.bn3(self.project(out))
        return out + x if self.has_shortcut else out


class _Nonlinear:
    """Mixed into an LB: a ReLU between its first depthwise and its pointwise convolution."""

    def first_half(self, F, x):
        return self.bn2(relu(F, self.pw(self.bn1(relu(F, self.dw1(x))))))

    def layers(self, name, source):
        """As of `LB`, with that ReLU."""
        dw1, *others = super().layers(name, source)
        yield from [dw1._replace(relu=True), *others]


class NonlinearLB(_Nonlinear, LB):
    """`LB` with a ReLU between its first depthwise and its pointwise convolution."""


class NonlinearDLB(_Nonlinear, DLB):
    """`DLB` with a ReLU between its first depthwise and its pointwise convolution."""


BOTTLENECKS = (InvertedBottleneck,) * 4
NONLINEAR = (NonlinearLB, NonlinearLB, NonlinearDLB, NonlinearDLB)


def etinynet1_0_bottleneck(**kwargs):
    """EtinyNet-1.0 of inverted bottlenecks, 987,112 parameters; keyword arguments as for `EtinyNet`."""
    return EtinyNet(32, [(8,) * 4, (32,) * 4, (48,) * 3, (64, 64, 512)], blocks=BOTTLENECKS, **kwargs)


def etinynet0_75_bottleneck(**kwargs):
    """EtinyNet-0.75 of inverted bottlenecks, 679,996 parameters; keyword arguments as for `EtinyNet`."""
    return EtinyNet(24, [(6,) * 4, (24,) * 4, (42,) * 3, (48, 48, 384)], blocks=BOTTLENECKS, **kwargs)


def etinynet1_0_nonlinear(**kwargs):
    """EtinyNet-1.0 with ReLU after every depthwise convolution; keyword arguments as for `EtinyNet`."""
    return EtinyNet(32, WIDTHS_1_0, blocks=NONLINEAR, **kwargs)


def etinynet0_75_nonlinear(**kwargs):
    """EtinyNet-0.75 with ReLU after every depthwise convolution; keyword arguments as for `EtinyNet`."""
    return EtinyNet(24, WIDTHS_0_75, blocks=NONLINEAR, **kwargs)
