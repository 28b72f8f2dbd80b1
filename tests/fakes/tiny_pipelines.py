"""Tiny diffusers pipelines with random weights, saved as real ones are: real plumbing, pictures of noise."""

import hashlib
from pathlib import Path
from typing import Any

from infra.models.profile import Licence, Profile

LAYERS = (1, 2, 3)
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2TokenizerFast

    bytes_only = Tokenizer(models.BPE())
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    )
    bytes_only.train_from_iterator(["a person wears the garment"], trainer)
    tokenizer = Qwen2TokenizerFast(
        tokenizer_object=bytes_only,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        model_max_length=2048,
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def save_tiny_klein_inpaint(folder: Path) -> None:
    """A Flux2KleinInpaintPipeline of about 0.2 million random weights, seeded."""
    import torch
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinInpaintPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    tokenizer = _tokenizer()
    hidden = 32
    text_encoder = Qwen3ForCausalLM(
        Qwen3Config(
            hidden_size=hidden,
            intermediate_size=64,
            num_hidden_layers=len(LAYERS),
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=16,
            vocab_size=len(tokenizer) + 8,
            max_position_embeddings=1024,
        )
    )
    vae = AutoencoderKLFlux2(
        sample_size=32,
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=hidden * len(LAYERS),
        timestep_guidance_channels=64,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    pipe = Flux2KleinInpaintPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
        is_distilled=True,
    )
    pipe.save_pretrained(folder, safe_serialization=True)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def tiny_profile(folder: Path, *, commercial_use: bool = True, steps: int = 3) -> Profile:
    return Profile(
        name="tiny-klein",
        pipeline="Flux2KleinInpaintPipeline",
        folder=folder,
        revision="random-0",
        sha256=digests(folder),
        licence=Licence(name="none: random weights", commercial_use=commercial_use),
        dtype="float32",
        device="cpu",
        steps=steps,
        width=64,
        height=96,
        reference="image_reference",
        arguments={
            "strength": 1.0,
            "guidance_scale": 1.0,
            "text_encoder_out_layers": LAYERS,
            "max_sequence_length": 64,
        },
    )
