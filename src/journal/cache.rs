//! Cache of aggregates: bounded, and always as new as the log that the writer has seen.
//!
//! Only the writer decides on cached states; loaders only add what the writer missed.
//! A load is registered before it reads. If an event of its stream passes the writer meanwhile, the load is out of date
//! and reads again, so what it adds is never older than what the writer has seen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::stream::{StreamId, TailEvent, VersionedState};

pub(super) struct Cache {
    entries: Mutex<Entries>,
}

struct Entries {
    states: LruCache<StreamId, VersionedState>,
    weight: usize,
    bound: usize,
    /// For each stream that is being loaded: flags that mark its loads as out of date.
    loading: HashMap<StreamId, Vec<Arc<AtomicBool>>>,
}

/// A load in progress; dropping it ends it.
pub(super) struct LoadTicket<'cache> {
    cache: &'cache Cache,
    stream: StreamId,
    out_of_date: Arc<AtomicBool>,
}

impl Cache {
    pub fn new(bound: usize) -> Self {
        let entries = Entries { states: LruCache::unbounded(), weight: 0, bound, loading: HashMap::new() };
        Self { entries: Mutex::new(entries) }
    }

    pub fn get(&self, stream: &StreamId) -> Option<VersionedState> {
        self.lock().states.get(stream).cloned()
    }

    /// Adds the states that the writer has committed.
    pub fn commit(&self, changed: impl IntoIterator<Item = (StreamId, VersionedState)>) {
        let mut entries = self.lock();
        for (stream, versioned) in changed {
            entries.invalidate_loads(&stream);
            entries.put(stream, versioned);
        }
    }

    /// Applies an event of another process, if its stream is cached.
    pub fn apply_event(&self, stream: &StreamId, event: &TailEvent) -> Result<(), serde_json::Error> {
        let sequence = event.sequence;
        let mut entries = self.lock();
        entries.invalidate_loads(stream);
        let Some(cached) = entries.states.peek(stream) else { return Ok(()) };
        if sequence == cached.version + 1 {
            let evolved = cached.state.evolved(&event.event_version, &event.payload);
            match evolved {
                Ok(state) => entries.put(stream.clone(), VersionedState { version: sequence, state }),
                Err(error) => {
                    entries.remove(stream);
                    return Err(error);
                }
            }
        } else if sequence > cached.version {
            entries.remove(stream);
        }
        Ok(())
    }

    pub fn remove(&self, stream: &StreamId) {
        let mut entries = self.lock();
        entries.invalidate_loads(stream);
        entries.remove(stream);
    }

    pub fn clear(&self) {
        let mut entries = self.lock();
        entries.loading.values().flatten().for_each(|flag| flag.store(true, Ordering::Release));
        entries.states.clear();
        entries.weight = 0;
    }

    pub fn begin_load(&self, stream: StreamId) -> LoadTicket<'_> {
        let out_of_date = Arc::new(AtomicBool::new(false));
        self.lock().loading.entry(stream.clone()).or_default().push(Arc::clone(&out_of_date));
        LoadTicket { cache: self, stream, out_of_date }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoadTicket<'_> {
    /// Adds what was loaded; `false` if it is out of date and must be loaded again.
    pub fn finish(self, loaded: VersionedState) -> bool {
        let mut entries = self.cache.lock();
        if self.out_of_date.load(Ordering::Acquire) {
            return false;
        }
        if !entries.states.contains(&self.stream) {
            entries.put(self.stream.clone(), loaded);
        }
        drop(entries);
        true
    }
}

impl Drop for LoadTicket<'_> {
    fn drop(&mut self) {
        let mut entries = self.cache.lock();
        if let Some(flags) = entries.loading.get_mut(&self.stream) {
            flags.retain(|flag| !Arc::ptr_eq(flag, &self.out_of_date));
            if flags.is_empty() {
                entries.loading.remove(&self.stream);
            }
        }
    }
}

impl Entries {
    fn put(&mut self, stream: StreamId, versioned: VersionedState) {
        self.weight += versioned.state.weight();
        if let Some(previous) = self.states.put(stream, versioned) {
            self.weight -= previous.state.weight();
        }
        // The new entry stays, however heavy it is: a caller waits for it.
        while self.weight > self.bound && self.states.len() > 1 {
            if let Some((_, evicted)) = self.states.pop_lru() {
                self.weight -= evicted.state.weight();
            }
        }
    }

    fn remove(&mut self, stream: &StreamId) {
        if let Some(removed) = self.states.pop(stream) {
            self.weight -= removed.state.weight();
        }
    }

    fn invalidate_loads(&self, stream: &StreamId) {
        for flag in self.loading.get(stream).into_iter().flatten() {
            flag.store(true, Ordering::Release);
        }
    }
}
