use chrono::{DateTime, Utc};

use crate::time::window::Window;

use super::split::part;
use super::{LONGEST_WINDOW, Queue, Stretch};

impl Queue {
    pub(in crate::sync) fn halve(&mut self, window: Window) {
        let middle = window.end - part(window, 2);
        self.put_back_parts(window, &[middle]);
        if let Some(older) = self
            .stretches
            .iter_mut()
            .find(|stretch| stretch.window.start == window.start)
        {
            *older = Stretch::part(older.window, 2);
        }
    }

    pub(in crate::sync) fn park_before(&mut self, instant: DateTime<Utc>) {
        let is_before = |stretch: &Stretch| stretch.window.end <= instant;
        self.parked
            .extend(self.stretches.iter().copied().filter(is_before));
        self.stretches.retain(|stretch| !is_before(stretch));
    }

    pub(in crate::sync) fn park(&mut self, window: Window) {
        self.parked.push(Stretch {
            window,
            longest: LONGEST_WINDOW,
            is_part: true,
        });
    }

    pub(in crate::sync) fn unpark(&mut self) {
        let mut all: Vec<Stretch> = self.stretches.drain(..).chain(self.parked.drain(..)).collect();
        all.sort_by_key(|stretch| stretch.window);
        self.stretches = all.into();
    }

    pub(in crate::sync) fn forget_before(&mut self, instant: DateTime<Utc>) {
        self.parked.clear();
        self.stretches.retain(|stretch| stretch.window.end > instant);
        for stretch in &mut self.stretches {
            stretch.window.start = stretch.window.start.max(instant);
        }
    }
}
