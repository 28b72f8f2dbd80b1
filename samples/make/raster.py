"""A z-buffer rasteriser for triangle meshes and small mesh functions; numba and numpy only."""

import math

import numba
import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]


@numba.njit(cache=True)
def rasterise(xy: F64, depth: F64, triangles: I32, zbuffer: F32, index: I32, weights: F32) -> None:
    """Draw `triangles` (M x 3) of projected points xy (N x 2 pixels) with `depth` (N, > 0) into the buffers.

    zbuffer H x W (nearest depth), index H x W (triangle, -1 none), weights H x W x 2 (perspective-correct barycentric
    weights of the first two corners). A pixel is covered where its centre lies inside.
    """
    height, width = zbuffer.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], xy[c, 0], xy[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0, x1 = max(0, int(math.floor(min(ax, bx, cx)))), min(width - 1, int(math.ceil(max(ax, bx, cx))))
        y0, y1 = max(0, int(math.floor(min(ay, by, cy)))), min(height - 1, int(math.ceil(max(ay, by, cy))))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                px, py = x + 0.5, y + 0.5
                w0 = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                w1 = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                w2 = 1.0 - w0 - w1
                if w0 < -1e-7 or w1 < -1e-7 or w2 < -1e-7:
                    continue
                inverse = w0 / depth[a] + w1 / depth[b] + w2 / depth[c]
                z = 1.0 / inverse
                if z < zbuffer[y, x]:
                    zbuffer[y, x] = z
                    index[y, x] = t
                    weights[y, x, 0] = w0 / depth[a] * z
                    weights[y, x, 1] = w1 / depth[b] * z


def triangulate(faces: npt.NDArray[np.int64]) -> I32:
    """Quads (M x 4) as triangles; triangles unchanged."""
    faces = np.asarray(faces)
    if faces.shape[1] == 4:
        faces = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
    return faces.astype(np.int32)


def vertex_normals(vertices: F64, triangles: I32) -> F64:
    """Area-weighted unit normals per vertex."""
    normals = np.zeros_like(vertices)
    corner = vertices[triangles]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    for k in range(3):
        np.add.at(normals, triangles[:, k], face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def smooth(vertices: F64, triangles: I32, rounds: int, weight: F64) -> F64:
    """Laplacian smoothing, `weight` (N) in 0..1 per vertex and round."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    degree = np.maximum(np.bincount(edges.ravel(), minlength=len(vertices)), 1)[:, None]
    out = vertices.copy()
    for _ in range(rounds):
        total = np.zeros_like(out)
        np.add.at(total, edges[:, 0], out[edges[:, 1]])
        np.add.at(total, edges[:, 1], out[edges[:, 0]])
        touched = (np.bincount(edges.ravel(), minlength=len(vertices)) > 0)[:, None]
        out = out + np.where(touched, (total / degree - out) * weight[:, None], 0.0)
    return out
