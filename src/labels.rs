//! Class names of data sets, in the order of the classes.

/// The class names of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    /// Its name on the command line.
    pub name: &'static str,
    text: &'static str,
}

/// The data sets whose class names come with the crate, as torchvision's networks have them (`tools/make_labels.py`).
pub const LABELS: &[Labels] = &[
    Labels { name: "imagenet-1k", text: include_str!("../assets/labels/imagenet-1k.txt") },
    Labels { name: "kinetics-400", text: include_str!("../assets/labels/kinetics-400.txt") },
];

impl Labels {
    /// The data set of this name.
    pub fn by_name(name: &str) -> Option<&'static Labels> {
        LABELS.iter().find(|l| l.name == name)
    }

    /// The only data set here with so many classes.
    pub fn by_count(classes: usize) -> Option<&'static Labels> {
        LABELS.iter().find(|l| l.list().len() == classes)
    }

    /// The names.
    pub fn list(&self) -> Vec<&'static str> {
        self.text.lines().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_whole() {
        for (name, count, first) in [("imagenet-1k", 1000, "tench"), ("kinetics-400", 400, "abseiling")] {
            let labels = Labels::by_name(name).unwrap();
            assert_eq!((labels.list().len(), labels.list()[0]), (count, first));
            assert_eq!(Labels::by_count(count).unwrap().name, name);
        }
        assert!(Labels::by_count(7).is_none());
    }
}
