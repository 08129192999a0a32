"""What optical flow stands on; OpenCV is needed."""

import cv2
import numpy as np
import torch

from common import Cases, rand


def median():
    c = Cases("median", exact=True)
    for name, shape, side in [("five", (2, 2, 9, 7), 5), ("three", (1, 3, 6, 8), 3), ("narrow", (1, 1, 2, 11), 5)]:
        x = rand(*shape)
        y = np.stack([np.stack([cv2.medianBlur(plane, side) for plane in picture]) for picture in x.numpy()])
        c.add(name, [x], torch.from_numpy(y), kernel_size=side)
    return c


FAMILY = [median]
