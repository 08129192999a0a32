//! Boxes of successive key frames joined to tubes.

use super::{KeyFrame, PersonBox};

/// When boxes belong to one tube.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linking {
    /// The least intersection over union of a tube's last box and its next.
    pub iou: f32,
    /// Key frames in succession that a tube may miss.
    pub gap: usize,
}

impl Default for Linking {
    fn default() -> Self {
        Linking { iou: 0.3, gap: 1 }
    }
}

/// A tube at a key frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Which of the key frames.
    pub key: usize,
    /// Its index in the video.
    pub frame: usize,
    /// The box.
    pub person: PersonBox,
    /// The probability of each action.
    pub scores: Vec<f32>,
}

/// One person along a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Tube {
    /// In the order of time; at least one.
    pub moments: Vec<Moment>,
}

impl Tube {
    /// The mean probability of each action over the tube.
    pub fn mean(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.moments.first().map_or(0, |m| m.scores.len())];
        for moment in &self.moments {
            mean.iter_mut().zip(&moment.scores).for_each(|(m, s)| *m += s / self.moments.len() as f32);
        }
        mean
    }
}

/// Joins boxes to tubes, key frame by key frame: of all pairs of a tube and a box that overlap enough, that with the largest
/// intersection over union is joined first, among equals that with the box of the higher score; a box that is left begins a
/// tube. `scores` has a row for each box.
pub fn link(keys: &[KeyFrame], scores: &[Vec<Vec<f32>>], linking: &Linking) -> Vec<Tube> {
    let mut tubes: Vec<Tube> = Vec::new();
    for (key, (at, scores)) in keys.iter().zip(scores).enumerate() {
        let mut pairs = Vec::new();
        for (t, tube) in tubes.iter().enumerate() {
            let Some(last) = tube.moments.last().filter(|m| key - m.key <= linking.gap + 1) else { continue };
            for (b, person) in at.boxes.iter().enumerate() {
                let iou = iou(&last.person.corners, &person.corners);
                if iou >= linking.iou {
                    pairs.push((iou, person.score, t, b));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then((a.2, a.3).cmp(&(b.2, b.3))));
        let mut owner: Vec<Option<usize>> = vec![None; at.boxes.len()];
        for (_, _, t, b) in pairs {
            if owner[b].is_none() && !owner.contains(&Some(t)) {
                owner[b] = Some(t);
            }
        }
        for ((person, scores), owner) in at.boxes.iter().zip(scores).zip(owner) {
            let moment = Moment { key, frame: at.frame, person: *person, scores: scores.clone() };
            match owner {
                Some(t) => tubes[t].moments.push(moment),
                None => tubes.push(Tube { moments: vec![moment] }),
            }
        }
    }
    tubes
}

/// Intersection over union.
fn iou(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |b: &[f32; 4]| (b[2] - b[0]).max(0.0) * (b[3] - b[1]).max(0.0);
    let common = area(&[a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    common / (area(a) + area(b) - common).max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(frame: usize, lefts: &[f32]) -> KeyFrame {
        let person = |&x: &f32| PersonBox { corners: [x, 0.0, x + 10.0, 10.0], score: 1.0 };
        KeyFrame { frame, boxes: lefts.iter().map(person).collect() }
    }

    fn lefts(keys: &[KeyFrame]) -> Vec<Vec<f32>> {
        let scores: Vec<Vec<Vec<f32>>> = keys.iter().map(|k| vec![vec![0.25]; k.boxes.len()]).collect();
        let tubes = link(keys, &scores, &Linking::default());
        tubes.iter().map(|t| t.moments.iter().map(|m| m.person.corners[0]).collect()).collect()
    }

    #[test]
    fn persons_keep_their_tubes() {
        // Two that come in another order; the nearer box wins; a gap of one is bridged, of two is not.
        assert_eq!(lefts(&[key(0, &[0.0, 50.0]), key(9, &[52.0, 1.0])]), [[0.0, 1.0], [50.0, 52.0]]);
        assert_eq!(lefts(&[key(0, &[0.0]), key(9, &[4.0, 1.0])]), [vec![0.0, 1.0], vec![4.0]]);
        assert_eq!(lefts(&[key(0, &[0.0]), key(1, &[90.0]), key(2, &[1.0])]), [vec![0.0, 1.0], vec![90.0]]);
        let far = [key(0, &[0.0]), key(1, &[90.0]), key(2, &[90.0]), key(3, &[0.0])];
        assert_eq!(lefts(&far), [vec![0.0], vec![90.0, 90.0], vec![0.0]]);
    }
}
