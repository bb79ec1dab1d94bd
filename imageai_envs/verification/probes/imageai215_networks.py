"""Networks of ImageAI 2.1.5 with weights of our own. For TensorFlow 1.15: one graph, and sessions that run parts of it.

Each new question to a session prunes the whole graph first, and Keras asks layer by layer when it saves weights: 40 s
for DenseNet121 alone. So values are drawn by NumPy, set in one run, and written with h5py as Keras would.
"""


class Network(object):
    """A network of either Keras, and the values of its variables.

    Attributes:
        model: of ``tensorflow.keras``, which ImageAI 2.1.5 classifies with, or ``keras``, which it detects with.
        values: arrays by name of the variable. Kernels are drawn after He, all else is as Keras begins.
    """

    def __init__(self, model, backend, seed):
        import numpy

        self.model = model
        self._backend = backend
        self._random = numpy.random.RandomState(seed)
        self.values = {weight.name: self._draw(weight) for weight in model.weights}
        backend.batch_set_value([(weight, self.values[weight.name]) for weight in model.weights])

    def _draw(self, weight):
        import numpy

        shape = tuple(int(size) for size in weight.shape)
        kind = weight.name.rpartition("/")[2].partition(":")[0]
        if kind == "kernel":
            return self.normal(shape) * numpy.float32(numpy.sqrt(2.0 / numpy.prod(shape[:-1])))
        return (numpy.ones if kind in ("gamma", "moving_variance") else numpy.zeros)(shape, "float32")

    def normal(self, shape):
        """Return normally distributed numbers."""
        return self._random.normal(size=shape).astype("float32")

    def change(self, layer, kernel, bias=None):
        """Give a layer another kernel, and another bias if one is meant."""
        for weight in layer.weights:
            value = kernel if "/kernel" in weight.name else bias
            if value is not None:
                self.values[weight.name] = value.astype("float32").reshape(self.values[weight.name].shape)
                self._backend.batch_set_value([(weight, self.values[weight.name])])

    def kernel(self, layer):
        """Return a layer's kernel."""
        return self.values[layer.weights[0].name]

    def answer(self, batch):
        """Return the outputs for a batch of prepared pictures, as a list."""
        outputs = self.model.predict_on_batch(batch)
        return outputs if isinstance(outputs, list) else [outputs]

    def tensor(self, tensor, batch):
        """Return what a tensor inside the network holds for a batch."""
        return self._backend.get_session().run(tensor, {self.model.input: batch})

    def save(self, path):
        """Write the weights in Keras's format, layer by layer."""
        import h5py
        import numpy

        layers = [layer for layer in self.model.layers if layer.weights]
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = numpy.array([layer.name.encode() for layer in layers])
            file.attrs["backend"] = b"tensorflow"
            file.attrs["keras_version"] = b"2.3.1"
            for layer in layers:
                group = file.create_group(layer.name)
                group.attrs["weight_names"] = numpy.array([weight.name.encode() for weight in layer.weights])
                for weight in layer.weights:
                    group.create_dataset(weight.name, data=self.values[weight.name])


def read(path):
    """Return the arrays of a file of Keras, in its order: of weights, or of a whole network."""
    import h5py
    import numpy

    with h5py.File(path, "r") as file:
        root = file.get("model_weights", file)
        groups = [root[name] for name in root.attrs["layer_names"]]
        return [numpy.asarray(group[name]) for group in groups for name in group.attrs["weight_names"]]
