//! Reads the halves of a window to decide what it leaves open.

use crate::extract::{ApiError, PAGE_SIZE};
use crate::time::window::Window;

use super::drain::{ReadError, Reader, Slice, Verdict};
use super::pass::Pass;

impl Reader<'_> {
    /// A half shorter than a page is complete.
    pub(super) async fn holds_more(&self, slice: &Slice, pass: &Pass) -> Result<bool, ApiError> {
        let mut window = slice.window;
        while window.seconds() > 1 {
            let mut full = Vec::new();
            for half in window.halves() {
                let page = match self.page(&slice.part(half), 0, PAGE_SIZE).await {
                    Ok(page) => page,
                    Err(ApiError::Unaccepted { .. } | ApiError::Message | ApiError::ErrorObjects) => {
                        return Ok(true);
                    }
                    Err(error) => return Err(error),
                };
                let mut shown = Pass::default();
                self.add(&mut shown, &page);
                if !shown.rows.strays.is_empty() || !pass.holds_all_of(&shown) {
                    return Ok(true);
                }
                if self.traits.get().may_be_full(shown.newest()) {
                    full.push((half, shown));
                }
            }
            let are_alike = |full: &[(Window, Pass)]| full.iter().all(|(_, shown)| shown.holds_all_of(pass));
            match full.as_slice() {
                [] => return Ok(false),
                [(half, _)] => window = *half,
                [(half, _), ..] if are_alike(&full) => window = *half,
                _ => return Ok(true),
            }
        }
        Ok(pass.total.is_some())
    }

    /// `None` if both halves hold some. If neither does, the length caused them.
    pub(super) async fn part_with_strays(&self, slice: &Slice) -> Result<Option<Window>, ReadError> {
        let mut window = slice.window;
        while window.seconds() > 1 {
            let [older, newer] = window.halves();
            let hold = (
                self.has_strays(slice, older).await?,
                self.has_strays(slice, newer).await?,
            );
            window = match hold {
                (true, false) => older,
                (false, true) => newer,
                (true, true) => break,
                (false, false) => return Ok(Some(newer)),
            };
        }
        Ok(Some(window).filter(|part| *part != slice.window))
    }

    async fn has_strays(&self, slice: &Slice, part: Window) -> Result<bool, ReadError> {
        match Box::pin(self.read(&slice.part(part))).await {
            Ok(reading) => Ok(reading.verdict == Verdict::Strays),
            Err(ReadError::Api(ApiError::ErrorObjects)) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
