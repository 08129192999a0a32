//! How Hugging Face's transformers names the weights of vision transformers in its files, which since version 5 are
//! others than in memory.

/// The published name of a canonical one, timm's; `model` is what all but the classifier begin with.
pub(super) fn published(model: &str, canonical: &str) -> Option<String> {
    match canonical.split_once('.') {
        Some(("head", parameter)) => Some(format!("classifier.{parameter}")),
        Some(("fc_norm", _)) => Some(canonical.into()),
        _ => Some(format!("{model}.{}", backbone(canonical)?)),
    }
}

/// As [`published`], in files without a classifier, whose names begin with nothing.
pub(super) fn backbone(canonical: &str) -> Option<String> {
    let Some((layer, parameter)) = canonical.rsplit_once('.') else {
        let table = match canonical {
            "cls_token" => "cls_token",
            "pos_embed" => "position_embeddings",
            "time_embed" => "time_embeddings",
            _ => return None,
        };
        return Some(format!("embeddings.{table}"));
    };
    let layer = match layer {
        "patch_embed.proj" => "embeddings.patch_embeddings.projection".into(),
        "norm" => "layernorm".into(),
        _ => {
            let (i, rest) = layer.strip_prefix("blocks.")?.split_once('.')?;
            let rest = match rest {
                "norm1" => "layernorm_before",
                "norm2" => "layernorm_after",
                "attn.qkv" => "attention.attention.qkv",
                "attn.q" => "attention.attention.query",
                "attn.k" => "attention.attention.key",
                "attn.v" => "attention.attention.value",
                "attn.proj" => "attention.output.dense",
                "mlp.fc1" => "intermediate.dense",
                "mlp.fc2" => "output.dense",
                "temporal_norm1" => "temporal_layernorm",
                "temporal_attn.qkv" => "temporal_attention.attention.qkv",
                "temporal_attn.proj" => "temporal_attention.output.dense",
                "temporal_fc" => "temporal_dense",
                _ => return None,
            };
            format!("encoder.layer.{i}.{rest}")
        }
    };
    Some(format!("{layer}.{parameter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_transformers() {
        for (canonical, name) in [
            ("cls_token", "vivit.embeddings.cls_token"),
            ("patch_embed.proj.bias", "vivit.embeddings.patch_embeddings.projection.bias"),
            ("blocks.11.attn.k.bias", "vivit.encoder.layer.11.attention.attention.key.bias"),
            ("blocks.0.mlp.fc2.weight", "vivit.encoder.layer.0.output.dense.weight"),
            ("norm.bias", "vivit.layernorm.bias"),
            ("head.weight", "classifier.weight"),
            ("fc_norm.weight", "fc_norm.weight"),
        ] {
            assert_eq!(published("vivit", canonical).as_deref(), Some(name));
        }
        assert_eq!(backbone("head.weight"), None);
        assert_eq!(backbone("fc_norm.weight"), None);
        assert_eq!(backbone("norm.weight").as_deref(), Some("layernorm.weight"));
    }
}
