//! Class names of data sets, in the order of the classes.

/// The class names of a data set.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    /// Its name on the command line.
    pub name: &'static str,
    text: &'static str,
}

/// The data sets whose class names come with the crate, in the order of torchvision's and mmaction2's networks
/// (`tools/make_labels.py`).
///
/// AVA's actions have the ids 1 to 80, which lines 1 to 80 are: class 0 of a network of 80 has id 1, and in a network of 81
/// class 0 is the background. AVA v2.2 evaluates 60 of them.
pub const LABELS: &[Labels] = &[
    Labels { name: "imagenet-1k", text: include_str!("../assets/labels/imagenet-1k.txt") },
    Labels { name: "kinetics-400", text: include_str!("../assets/labels/kinetics-400.txt") },
    Labels { name: "kinetics-600", text: include_str!("../assets/labels/kinetics-600.txt") },
    Labels { name: "kinetics-700", text: include_str!("../assets/labels/kinetics-700.txt") },
    Labels {
        name: "something-something-v2",
        text: include_str!("../assets/labels/something-something-v2.txt"),
    },
    Labels { name: "ucf101", text: include_str!("../assets/labels/ucf101.txt") },
    Labels { name: "hmdb51", text: include_str!("../assets/labels/hmdb51.txt") },
    Labels { name: "ava-2.2", text: include_str!("../assets/labels/ava-2.2.txt") },
];

/// The ids of AVA's actions that are too rare to be evaluated.
const NOT_EVALUATED: [usize; 20] =
    [2, 16, 18, 19, 21, 23, 25, 31, 32, 33, 35, 39, 40, 42, 44, 50, 53, 55, 71, 75];

impl Labels {
    /// The data set of this name.
    pub fn by_name(name: &str) -> Option<&'static Labels> {
        LABELS.iter().find(|l| l.name == name)
    }

    /// The only data set here with so many classes; none where several have them.
    pub fn by_count(classes: usize) -> Option<&'static Labels> {
        let mut fitting = LABELS.iter().filter(|l| l.text.lines().count() == classes);
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// AVA's names for a network of 80 actions; of 81, of which the first is the background; or of the 60 that are
    /// evaluated. `None` for other numbers.
    ///
    /// ```
    /// # use kinetograph::labels::Labels;
    /// assert_eq!(Labels::ava(81).unwrap()[12], "stand");
    /// assert_eq!(Labels::ava(60).unwrap()[10], "stand");
    /// ```
    pub fn ava(actions: usize) -> Option<Vec<&'static str>> {
        let all = Labels::by_name("ava-2.2")?.list();
        match actions {
            80 => Some(all),
            81 => Some(std::iter::once("background").chain(all).collect()),
            60 => {
                let evaluated = all.into_iter().zip(1..).filter(|(_, id)| !NOT_EVALUATED.contains(id));
                Some(evaluated.map(|(name, _)| name).collect())
            }
            _ => None,
        }
    }

    /// The names of all, for a message or a help text.
    pub fn names() -> String {
        LABELS.iter().map(|l| l.name).collect::<Vec<_>>().join(", ")
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
        let whole = [
            ("imagenet-1k", 1000, "tench", "toilet tissue"),
            ("kinetics-400", 400, "abseiling", "zumba"),
            ("kinetics-600", 600, "abseiling", "zumba"),
            ("kinetics-700", 700, "abseiling", "zumba"),
            (
                "something-something-v2",
                174,
                "Approaching something with your camera",
                "Wiping something off of something",
            ),
            ("ucf101", 101, "ApplyEyeMakeup", "YoYo"),
            ("hmdb51", 51, "brush_hair", "wave"),
            ("ava-2.2", 80, "bend/bow (at the waist)", "watch (a person)"),
        ];
        assert_eq!(whole.len(), LABELS.len());
        for (name, count, first, last) in whole {
            let list = Labels::by_name(name).unwrap().list();
            assert_eq!((list.len(), list[0], list[count - 1]), (count, first, last));
            assert!(list.iter().all(|l| !l.trim().is_empty()), "{name}");
            assert_eq!(Labels::by_count(count).unwrap().name, name);
        }
        let ava = Labels::by_name("ava-2.2").unwrap().list();
        assert_eq!((ava[11], ava[13], ava[15]), ("stand", "walk", "brush teeth"));
        assert!(Labels::by_count(7).is_none());
    }
}
