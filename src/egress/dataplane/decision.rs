//! Decisions whose texts are created only if they are needed.

use std::fmt::Display;
use std::sync::Arc;

use crate::object::Object;
use crate::trace::Decision;

/// Other objects that were evaluated, and why they did not decide.
pub type Others = Vec<(Object, String)>;

/// A decision that can become a [`Decision`].
#[derive(Clone)]
pub struct DecisionBuilder<'d, B> {
    passes: bool,
    by: Option<&'d Object>,
    because: B,
    others: Option<&'d dyn Fn() -> Others>,
    together: Option<Arc<[Object]>>,
}

impl<'d, B: Display> DecisionBuilder<'d, B> {
    /// Passes, by this object or, without one, by default.
    pub fn passes(by: Option<&'d Object>, because: B) -> DecisionBuilder<'d, B> {
        DecisionBuilder::decided(true, by, because)
    }

    /// Does not pass.
    pub fn stops(by: Option<&'d Object>, because: B) -> DecisionBuilder<'d, B> {
        DecisionBuilder::decided(false, by, because)
    }

    /// Passes or not.
    pub fn decided(passes: bool, by: Option<&'d Object>, because: B) -> DecisionBuilder<'d, B> {
        DecisionBuilder {
            passes,
            by,
            because,
            others: None,
            together: None,
        }
    }

    /// Adds the other objects that were evaluated.
    pub fn after(self, others: &'d dyn Fn() -> Others) -> DecisionBuilder<'d, B> {
        DecisionBuilder {
            others: Some(others),
            ..self
        }
    }

    /// Adds the objects that refuse together.
    pub fn by_all(self, together: Option<Arc<[Object]>>) -> DecisionBuilder<'d, B> {
        DecisionBuilder { together, ..self }
    }
}

/// The sources of a hop's decision.
pub trait Decides {
    /// Whether it passes.
    fn passes(&self) -> bool;
    /// The object that decides.
    fn by(&self) -> Option<&Object>;
    /// The objects that refuse together, if no single one does.
    fn together(&self) -> Option<Arc<[Object]>>;
    /// The decision with its texts.
    fn told(self) -> Decision;
}

impl<B: Display> Decides for DecisionBuilder<'_, B> {
    fn passes(&self) -> bool {
        self.passes
    }

    fn by(&self) -> Option<&Object> {
        self.by
    }

    fn together(&self) -> Option<Arc<[Object]>> {
        self.together.clone()
    }

    fn told(self) -> Decision {
        Decision {
            passes: self.passes,
            by: self.by.cloned(),
            because: self.because.to_string(),
            others: self.others.map(|others| others()).unwrap_or_default(),
            together: self.together,
        }
    }
}

impl Decides for &Decision {
    fn passes(&self) -> bool {
        self.passes
    }

    fn by(&self) -> Option<&Object> {
        self.by.as_ref()
    }

    fn together(&self) -> Option<Arc<[Object]>> {
        self.together.clone()
    }

    fn told(self) -> Decision {
        self.clone()
    }
}
