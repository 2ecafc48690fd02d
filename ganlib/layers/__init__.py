"""Building blocks of the networks, one idea a file."""

from ganlib.layers.batch_normalization import BatchNormalization
from ganlib.layers.conditional_batch_normalization import (
    ConditionalBatchNormalization,
    EmbeddedConditionalBatchNormalization,
    SpectralConditionalBatchNormalization,
    VectorConditionalBatchNormalization,
)
from ganlib.layers.dropout import Dropout, NoiseDropout
from ganlib.layers.global_sum_pooling import GlobalSumPooling2D
from ganlib.layers.instance_normalization import InstanceNormalization
from ganlib.layers.joins import ConcatenateEverywhere, OneHot
from ganlib.layers.layer_normalization import LayerNormalization
from ganlib.layers.log_sum_exp import LogSumExp
from ganlib.layers.maxout import Maxout
from ganlib.layers.minibatch_discrimination import MinibatchDiscrimination
from ganlib.layers.projection import Projection, SpectralProjection
from ganlib.layers.random_layer import RandomLayer
from ganlib.layers.reflection_padding import ReflectionPadding2D
from ganlib.layers.self_attention import SelfAttention, SpectralSelfAttention
from ganlib.layers.spectral_normalization import (
    SpectralConv2D,
    SpectralConv2DTranspose,
    SpectralDense,
    SpectralEmbedding,
)
from ganlib.layers.virtual_batch_normalization import (
    DropReference,
    PrependReference,
    VirtualBatchNormalization,
)
