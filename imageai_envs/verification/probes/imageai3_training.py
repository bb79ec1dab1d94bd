"""Training of classification and detection by ImageAI 3, and what is looked at in it.

A step or two on generated pictures teach a network nothing. Proved is that training starts from the weights it was
given and moves them by the learning rate that ImageAI means, that the files it leaves can be loaded, and that ImageAI
then says what they say.
"""

import json
import os

from imageai3_networks import SEED, SIZE, Yolo, give_clear_answers, prepared
from probe_pictures import NAMES, picture, write_classes, write_objects, write_video
from quick_probe import Wrong

# What ImageAI 3.0.3 sets in Classification/Custom/training_params.py (MobileNetV2: rate, part of it after each
# experiment, weight decay) and Detection/Custom/__init__.py (of biases at the start, of all in the end).
RATE, PART = 0.045, 0.98
BIAS_RATE, LAST_RATE, WARMUP = 0.1, 0.01, 1000
EXPERIMENTS = 2  # of detection: with one ImageAI divides by zero
# On a GPU it trains in half precision, and torch's GradScaler leaves out a step whose gradients are infinite and halves
# the factor that they have for it, 65536 at first. With 16 that gets down to 2; from 17 on ImageAI joins two batches.
EXPERIMENTS_ON_GPU = 16


def seed():
    """Make a stage the same in each run."""
    import random

    import numpy
    import torch

    random.seed(SEED)
    numpy.random.seed(SEED)
    torch.manual_seed(SEED)


# Classification -----------------------------------------------------------------------------------------------------


def train_classification(place, facts):
    """Train MobileNetV2 for one step from weights of our own, and follow that step; return the files that it left.

    The first step of SGD moves a weight by the rate times what it keeps as its momentum.
    """
    import torch
    import torchvision
    from imageai.Classification.Custom import ClassificationModelTrainer

    data = place.path("classes")
    write_classes(data, SIZE)
    seed()
    network = torchvision.models.mobilenet_v2()
    give_clear_answers(network, network.classifier[1], prepared(picture(20, SIZE)))
    start = place.path("start.pth")
    torch.save(network.state_dict(), start)

    trainer = ClassificationModelTrainer()
    trainer.setModelTypeAsMobileNetV2()
    trainer.setDataDirectory(data)
    trainer.trainModel(num_experiments=1, batch_size=4, transfer_from_model=start)

    models = os.path.join(data, "models")
    files = sorted(os.listdir(models))
    facts["files"] = files
    weights = [name for name in files if name.endswith(".pt")]
    if len(weights) != 1 or "classes_model_classes.json" not in files:
        raise Wrong("training left the files %r" % files)
    with open(os.path.join(models, "classes_model_classes.json")) as stream:
        told = json.load(stream)
    if told != {"0": NAMES[0], "1": NAMES[1]}:
        raise Wrong("training wrote %r as the names of the classes" % (told,))
    path = os.path.join(models, weights[0])
    _check_step(facts, trainer, torch.load(start), trained_classifier(path))
    os.remove(start)
    return path, os.path.join(models, "classes_model_classes.json")


def _check_step(facts, trainer, before, network):
    import torch

    private = "_ClassificationModelTrainer__"
    optimizer, trained = getattr(trainer, private + "optimizer"), getattr(trainer, private + "model")
    facts["optimizer"] = type(optimizer).__name__
    facts["learning_rate_meant"] = RATE
    facts["learning_rate_after"] = float(optimizer.param_groups[0]["lr"])
    after = {name: value.cpu() for name, value in network.state_dict().items()}
    if not all(bool(torch.isfinite(value).all()) for value in after.values()):
        raise Wrong("training left numbers that are infinite or none")
    rates = []
    for name, parameter in trained.named_parameters():
        if not name.startswith("classifier"):  # that layer is made again, for the number of classes
            momentum = optimizer.state[parameter]["momentum_buffer"].cpu().flatten().double()
            moved = (before[name] - after[name]).flatten().double()
            rates.append(float(moved.dot(momentum) / momentum.dot(momentum)))
    facts["learning_rates"] = [min(rates), max(rates)]
    if not all(0.99 * RATE < rate < 1.01 * RATE for rate in rates):
        raise Wrong(
            "a step of training moved weights by the rates %r, ImageAI means %r" % ((min(rates), max(rates)), RATE)
        )
    if abs(facts["learning_rate_after"] - RATE * PART) > 1e-6:
        raise Wrong("after an experiment the learning rate is %r" % facts["learning_rate_after"])
    means = [name for name in after if name.endswith("running_mean")]
    if not means or any(bool((after[name] == before[name]).all()) for name in means):
        raise Wrong("training left what the normalizations think is the usual as it was")


def trained_classifier(path):
    """Return the network that was trained."""
    import torch
    import torchvision

    network = torchvision.models.mobilenet_v2()
    network.classifier[1] = torch.nn.Linear(network.classifier[1].in_features, len(NAMES))
    network.load_state_dict(torch.load(path, map_location="cpu"))
    return network.eval()


# Detection ----------------------------------------------------------------------------------------------------------


def train_detection(place, facts):
    """Train YOLOv3 twice over two pictures, from weights of our own, and follow the first step; return what it left.

    On a GPU it is trained more often: see EXPERIMENTS_ON_GPU. ImageAI warms up for at least a thousand steps: until
    then only biases move by more than rounding hides.
    """
    import torch
    from imageai.Detection.Custom import DetectionModelTrainer

    data, start = place.path("objects"), place.path("start-YOLOv3.pth")
    parts = (("train", 50), ("validation", 60))
    pictures = [image for part, first in parts for image in write_objects(data, part, first, ".txt", _yolo_text)]
    seed()
    yolo = Yolo("YOLOv3", classes=len(NAMES))
    yolo.give_clear_answers(pictures + write_video(place.path("custom-video.avi"), 2), clear=3)
    yolo.save(start)
    del yolo
    steps = []

    class Trainer(DetectionModelTrainer):
        def _DetectionModelTrainer__set_training_param(self, *values):  # noqa: N802 - ImageAI's own name
            private = "_DetectionModelTrainer__"
            getattr(super(Trainer, self), private + "set_training_param")(*values)
            _watch_steps(getattr(self, private + "model"), getattr(self, private + "optimizer"), steps)

    trainer = Trainer()
    scaler = trainer._DetectionModelTrainer__scaler  # noqa: SLF001 - on the processor it is there, and does nothing
    experiments = EXPERIMENTS_ON_GPU if scaler.is_enabled() else EXPERIMENTS
    scale = scaler.get_scale()
    trainer.setModelTypeAsYOLOv3()
    trainer.setDataDirectory(data)
    trainer.setTrainConfig(
        object_names_array=list(NAMES), batch_size=2, num_experiments=experiments, train_from_pretrained_model=start
    )
    trainer.trainModel()

    before = torch.load(start, map_location="cpu")
    os.remove(start)
    models = os.path.join(data, "models")
    facts["files"] = sorted(os.listdir(models))
    if "yolov3_objects_last.pt" not in facts["files"]:
        raise Wrong("training left the files %r" % facts["files"])
    for name in facts["files"]:  # 240 MB each
        if name != "yolov3_objects_last.pt":
            os.remove(os.path.join(models, name))
    path = os.path.join(models, "yolov3_objects_last.pt")
    facts["steps"] = [step["batch"] for step in steps]
    facts["scale"] = [scale, scaler.get_scale()]
    check_made(facts["steps"], experiments, scale / scaler.get_scale())
    _check_first(facts, steps[0], experiments, before, torch.load(path, map_location="cpu"))
    return path, os.path.join(data, "json", "objects_yolov3_detection_config.json")


def _yolo_text(_, objects):
    """Return what YOLO's format says of a picture."""
    text = ""
    for name, left, top, right, bottom in objects:
        box = ((left + right) / 256.0, (top + bottom) / 256.0, (right - left) / 128.0, (bottom - top) / 128.0)
        text += "%d %.6f %.6f %.6f %.6f\n" % ((NAMES.index(name),) + box)
    return text


def _watch_steps(network, optimizer, steps):
    """Note of each step its batch, the rates, and how far it moved the biases for their gradients."""
    names = [name for name, _ in network.named_parameters() if name.endswith(".bias")]
    work, batches = optimizer.step, []
    network.register_forward_pre_hook(lambda module, _inputs: batches.append(1) if module.training else None)

    def step(*values, **named):
        biases = dict(network.named_parameters())
        before = {name: biases[name].detach().clone() for name in names}
        pulls = {name: biases[name].grad.detach().clone() for name in names}
        rates = [(float(group["lr"]), float(group["momentum"])) for group in optimizer.param_groups]
        answer = work(*values, **named)
        moved = {name: before[name] - biases[name].detach() for name in names}
        steps.append({"batch": len(batches), "rates": rates, "before": before, "pulls": pulls, "moved": moved})
        return answer

    optimizer.step = step


def check_made(batches, experiments, shrunk):
    """Raise Wrong unless each batch had its step, or halved the scaler's factor, which is how it leaves out one.

    Args:
        batches: number of the batch of each step.
        experiments: of one batch each.
        shrunk: how many times as large the scaler's factor was at the start.
    """
    left_out = sorted(set(range(1, experiments + 1)) - set(batches))
    if not batches or len(batches) + len(left_out) != experiments or shrunk != 2.0 ** len(left_out):
        raise Wrong(
            "ImageAI made steps for the batches %r in %d experiments of one batch, and torch's GradScaler has %g of "
            "its factor" % (batches, experiments, 1 / shrunk)
        )


def bias_rate(batch, experiments):
    """Return the rate that ImageAI means for the biases in a batch of the warm-up; each experiment has one batch."""
    last = LAST_RATE * ((1.0 - batch / (experiments - 1.0)) * 0.99 + 0.01)
    return BIAS_RATE + (last - BIAS_RATE) * batch / WARMUP


def _check_first(facts, first, experiments, before, after):
    """Raise Wrong unless the first step began at our weights and moved the biases by ImageAI's rate for them.

    SGD with Nesterov's momentum moves by rate * (1 + momentum) * gradient at first.
    """
    import torch

    facts["learning_rates"] = [rate for rate, _ in first["rates"]]
    rate, momentum = first["rates"][2]  # ImageAI's third group: the biases
    meant = bias_rate(first["batch"], experiments)
    facts["learning_rate_meant"] = meant
    facts["learning_rate_set"] = rate
    if not all(bool((first["before"][name].cpu() == before[name]).all()) for name in first["before"]):
        raise Wrong("training did not start from the weights that it was given")
    moved = torch.cat([value.flatten() for value in first["moved"].values()]).double()
    pulls = torch.cat([value.flatten() for value in first["pulls"].values()]).double()
    if not float(pulls.abs().max()) > 0:
        raise Wrong("the first step had no gradients")
    facts["first_step"] = float(moved.dot(pulls) / pulls.dot(pulls) / (1 + momentum))
    if abs(rate - meant) > 1e-3 * meant or abs(facts["first_step"] - meant) > 1e-2 * meant:
        raise Wrong(
            "the first step used the rate %g and moved biases by %g, ImageAI means %g"
            % (rate, facts["first_step"], meant)
        )
    if not all(bool(torch.isfinite(value).all()) for value in after.values()):
        raise Wrong("training left numbers that are infinite or none")
    same = [name for name in first["before"] if bool((after[name] == before[name]).all())]
    means = [name for name in after if name.endswith("running_mean")]
    same += [name for name in means if bool((after[name] == before[name]).all())]
    if same or not means:
        raise Wrong("training left as they were: %s" % ", ".join(same[:5]))
