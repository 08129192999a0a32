"""The nearest codes by faiss: `python faiss_peer.py NAME SECONDS` prints a JSON line."""

import json
import sys

import faiss
import numpy as np

import shapes


def main():
    name, seconds = sys.argv[1], float(sys.argv[2])
    if name not in shapes.VQ:
        raise SystemExit("not run in faiss")
    vectors, codes, length = shapes.VQ[name]
    random = np.random.default_rng(0)
    x, codebook = random.random((vectors, length), np.float32), random.random((codes, length), np.float32)
    index = faiss.IndexFlatL2(length)
    index.add(codebook)
    median, first = shapes.timed(lambda: codebook[index.search(x, 1)[1][:, 0]], seconds)
    print(json.dumps({"peer": f"faiss-cpu {faiss.__version__}", "seconds": median, "first": first}))


main()
