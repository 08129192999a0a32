//! Which frames a network sees: pure arithmetic on frame indices, the same on every run.

/// `count` frames spread evenly: the middles of `count` equal parts of the video. Frames repeat when the
/// video has fewer.
///
/// ```
/// # use kinetograph::video::sample;
/// assert_eq!(sample::by_count(100, 4), [12, 37, 62, 87]);
/// ```
pub fn by_count(frames: usize, count: usize) -> Vec<usize> {
    middles(frames, count)
}

/// Every `stride`-th frame from `start`; a stride of 0 counts as 1.
///
/// ```
/// # use kinetograph::video::sample;
/// assert_eq!(sample::by_stride(10, 1, 3), [1, 4, 7]);
/// ```
pub fn by_stride(frames: usize, start: usize, stride: usize) -> Vec<usize> {
    (start..frames).step_by(stride.max(1)).collect()
}

/// The frames of a video of `fps` frames a second, resampled to `target` frames a second: the frame on
/// screen at each of the new times (`floor(i * fps / target)`, as torchvision's `VideoClips` resamples).
/// Frames repeat when `target` is the higher rate. Rates that are no positive numbers leave the video as
/// it is.
///
/// ```
/// # use kinetograph::video::sample;
/// assert_eq!(sample::by_fps(10, 25.0, 10.0), [0, 2, 5, 7]);
/// ```
pub fn by_fps(frames: usize, fps: f64, target: f64) -> Vec<usize> {
    let step = fps / target;
    if !(step.is_finite() && step > 0.0) {
        return (0..frames).collect();
    }
    // A rate such as 30000/1001 must not lose a frame to the last bit of a division.
    let floor = |x: f64| (x + 1e-9).floor() as usize;
    let count = floor(frames as f64 / step).max(frames.min(1));
    (0..count).map(|i| floor(i as f64 * step).min(frames - 1)).collect()
}

/// `clips` windows of `length` frames, `stride` frames apart within a window, spread evenly over the
/// video: the places a window can start at are cut into `clips` equal parts, and each window starts in
/// the middle of its part (as in MMAction2's test sampling). One clip is thus the middle one.
///
/// A video shorter than a window gives windows from its first frame, in which the last frame repeats.
/// A video without frames gives no windows.
///
/// ```
/// # use kinetograph::video::sample;
/// assert_eq!(sample::clips(20, 2, 3, 2), [[4, 6, 8], [12, 14, 16]]);
/// assert_eq!(sample::clips(2, 1, 4, 1), [[0, 1, 1, 1]]);
/// ```
pub fn clips(frames: usize, clips: usize, length: usize, stride: usize) -> Vec<Vec<usize>> {
    let Some(last) = frames.checked_sub(1) else { return Vec::new() };
    let stride = stride.max(1);
    let span = length.saturating_sub(1).saturating_mul(stride);
    let starts = frames.saturating_sub(span).max(1);
    let window = |start: usize| {
        (0..length).map(|i| start.saturating_add(i.saturating_mul(stride)).min(last)).collect()
    };
    middles(starts, clips).into_iter().map(window).collect()
}

/// The middles of `count` equal parts of `0..length`, rounded down.
fn middles(length: usize, count: usize) -> Vec<usize> {
    let middle = |i: usize| (2 * i as u128 + 1) * length as u128 / (2 * count as u128);
    if length == 0 { Vec::new() } else { (0..count).map(|i| middle(i) as usize).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_cover_the_video_and_repeat_when_short() {
        assert_eq!(by_count(8, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(by_count(9, 3), [1, 4, 7]);
        assert_eq!(by_count(2, 4), [0, 0, 1, 1]);
        assert_eq!(by_count(1, 3), [0, 0, 0]);
        assert!(by_count(0, 3).is_empty());
        assert!(by_count(5, 0).is_empty());
    }

    #[test]
    fn strides() {
        assert_eq!(by_stride(5, 0, 1), [0, 1, 2, 3, 4]);
        assert_eq!(by_stride(5, 4, 9), [4]);
        assert_eq!(by_stride(3, 0, 0), [0, 1, 2]);
        assert!(by_stride(3, 3, 1).is_empty());
    }

    #[test]
    fn rates() {
        assert_eq!(by_fps(6, 30.0, 15.0), [0, 2, 4]);
        assert_eq!(by_fps(3, 10.0, 20.0), [0, 0, 1, 1, 2, 2]);
        assert_eq!(by_fps(300, 30_000.0 / 1001.0, 15_000.0 / 1001.0), by_stride(300, 0, 2));
        assert_eq!(by_fps(1, 30.0, 1.0), [0]);
        assert!(by_fps(0, 30.0, 15.0).is_empty());
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(by_fps(3, bad, 15.0), [0, 1, 2]);
            assert_eq!(by_fps(3, 15.0, bad), [0, 1, 2]);
        }
    }

    #[test]
    fn windows() {
        assert_eq!(clips(16, 1, 16, 1), [(0..16).collect::<Vec<_>>()]);
        assert_eq!(clips(100, 1, 16, 1)[0][0], 42);
        let ten = clips(280, 10, 16, 1);
        let starts: Vec<_> = ten.iter().map(|w| w[0]).collect();
        assert_eq!(starts, [13, 39, 66, 92, 119, 145, 172, 198, 225, 251]);
        assert!(ten.iter().all(|w| w.len() == 16 && w[15] == w[0] + 15));
        assert_eq!(clips(3, 2, 4, 2), [[0, 2, 2, 2], [0, 2, 2, 2]]);
        assert!(clips(0, 2, 4, 1).is_empty());
        assert_eq!(clips(usize::MAX, 1, 2, usize::MAX)[0].len(), 2);
    }
}
