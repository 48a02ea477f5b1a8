//! `Set`: the endpoints of an upstream, what is known of each, and the table made from both.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};
use tokio::time::Instant;

use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::error::EndpointsError;
use crate::metrics::UpstreamMeters;
use crate::state::State;
use crate::status::Status;
use crate::table::{Candidate, Table};

/// Times this many weights of 65535 fit the 32 bits of a total weight.
const MAX_ENDPOINTS: usize = 10_000;

/// The endpoints of one upstream. Requests read the table without a lock; every change of an
/// endpoint's status goes through the lock and makes a new table.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) name: Arc<str>,
    pub(crate) meters: UpstreamMeters,
    control: Mutex<Control>,
    table: ArcSwap<Table>,
}

#[derive(Debug)]
struct Control {
    members: Vec<Member>,
    panic: bool,
}

/// An endpoint of the set.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) endpoint: Endpoint,
    pub(crate) state: Arc<State>,
    pub(crate) status: Status,
}

/// How many endpoints there are; none of them draining.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) all: usize,
    pub(crate) ejected: usize,
    pub(crate) eligible: usize,
}

impl Set {
    /// A set of `endpoints`; the state of those known to `from` is taken over.
    pub(crate) fn new(
        name: Arc<str>,
        endpoints: Vec<Endpoint>,
        from: Option<&Self>,
        now: Instant,
    ) -> Result<Self, EndpointsError> {
        let known = from.map(|set| set.lock().members.clone());
        let mut control = Control { members: known.unwrap_or_default(), panic: false };
        control.replace(&name, endpoints)?;
        let set = Self {
            meters: UpstreamMeters::new(&name),
            name,
            table: ArcSwap::from_pointee(Table::new(Vec::new())),
            control: Mutex::new(control),
        };
        set.publish(&mut set.lock(), now);
        Ok(set)
    }

    /// The endpoints that may be picked now.
    pub(crate) fn table(&self) -> Guard<Arc<Table>> {
        let table = self.table.load();
        // The clock is read only while an endpoint is out.
        match table.next_return {
            Some(at) if at <= Instant::now() => {
                drop(table);
                self.publish(&mut self.lock(), Instant::now());
                self.table.load()
            }
            _ => table,
        }
    }

    pub(crate) fn replace(
        &self,
        endpoints: Vec<Endpoint>,
        now: Instant,
    ) -> Result<(), EndpointsError> {
        let mut control = self.lock();
        control.replace(&self.name, endpoints)?;
        self.publish(&mut control, now);
        Ok(())
    }

    /// Changes the status of the endpoint at `address`; `None` when there is no such endpoint.
    pub(crate) fn change<R>(
        &self,
        address: &Address,
        now: Instant,
        change: impl FnOnce(&mut Status, Counts) -> R,
    ) -> Option<R> {
        let mut control = self.lock();
        let counts = control.counts();
        let mut members = control.members.iter_mut();
        let member = members.find(|member| member.endpoint.address == *address)?;
        let before = member.status;
        let result = change(&mut member.status, counts);
        if member.status != before {
            self.publish(&mut control, now);
        }
        Some(result)
    }

    /// A copy of every member, and whether the set is in panic.
    pub(crate) fn members(&self) -> (Vec<Member>, bool) {
        let control = self.lock();
        (control.members.clone(), control.panic)
    }

    /// Makes the table that follows from the members, and swaps it in.
    fn publish(&self, control: &mut Control, now: Instant) {
        let table = control.table(now);
        if table.panic != control.panic {
            control.panic = table.panic;
            self.meters.panic(table.panic);
            self.log_panic(table.panic);
        }
        self.table.store(Arc::new(table));
    }

    fn log_panic(&self, entered: bool) {
        let upstream = &*self.name;
        if entered {
            tracing::warn!(upstream, "no endpoint is healthy: using all of them");
        } else {
            tracing::info!(upstream, "an endpoint is healthy again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        // Members change by whole values, and a table is made from them at each change.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    fn replace(&mut self, upstream: &str, endpoints: Vec<Endpoint>) -> Result<(), EndpointsError> {
        check(&endpoints)?;
        let old = std::mem::take(&mut self.members).into_iter();
        let mut old: HashMap<Address, Member> =
            old.map(|m| (m.endpoint.address.clone(), m)).collect();
        let member = |endpoint: Endpoint| match old.remove(&endpoint.address) {
            Some(known) => known.renewed(endpoint),
            None => Member::new(upstream, endpoint),
        };
        self.members = endpoints.into_iter().map(member).collect();
        for gone in old.values() {
            gone.state.meters.healthy(false);
        }
        Ok(())
    }

    fn counts(&self) -> Counts {
        let present = || self.members.iter().filter(|m| !m.status.draining);
        Counts {
            all: present().count(),
            ejected: present().filter(|m| m.status.ejection.is_ejected()).count(),
            eligible: present().filter(|m| m.status.is_eligible()).count(),
        }
    }

    fn table(&mut self, now: Instant) -> Table {
        for member in &mut self.members {
            member.status.ejection.tick(now);
            member.state.meters.healthy(member.status.is_eligible());
            member.state.set_ejected(member.status.ejection.is_ejected());
        }
        let eligible = self.candidates(|status| status.is_eligible());
        // Draining endpoints never come back this way.
        let all = || self.candidates(|status| !status.draining);
        let panic = eligible.is_empty();
        let mut table = Table::new(if panic { all() } else { eligible });
        table.panic = panic && !table.is_empty();
        if !panic {
            table.trials = self.trials();
        }
        table.next_return = self.next_return();
        table
    }

    fn candidates(&self, accept: impl Fn(Status) -> bool) -> Vec<Candidate> {
        let accepted = self.members.iter().filter(|m| accept(m.status));
        accepted
            .map(|member| Candidate {
                state: Arc::clone(&member.state),
                weight: member.endpoint.weight,
            })
            .collect()
    }

    fn trials(&self) -> Box<[Arc<State>]> {
        let waiting = self.members.iter().filter(|m| m.status.awaits_trial());
        waiting.map(|m| Arc::clone(&m.state)).collect()
    }

    fn next_return(&self) -> Option<Instant> {
        let untils = self.members.iter().map(|m| m.status.ejection.until());
        untils.flatten().min()
    }
}

impl Member {
    fn new(upstream: &str, endpoint: Endpoint) -> Self {
        Self {
            state: Arc::new(State::new(upstream, endpoint.address.clone())),
            status: Status { draining: endpoint.drain, ..Status::NEW },
            endpoint,
        }
    }

    /// The same endpoint under new settings. A drain asked for at run time stays.
    fn renewed(self, endpoint: Endpoint) -> Self {
        let asked = self.status.draining && !self.endpoint.drain;
        Self {
            state: self.state,
            status: Status { draining: endpoint.drain || asked, ..self.status },
            endpoint,
        }
    }
}

fn check(endpoints: &[Endpoint]) -> Result<(), EndpointsError> {
    if endpoints.is_empty() {
        return Err(EndpointsError::Empty);
    }
    if endpoints.len() > MAX_ENDPOINTS {
        return Err(EndpointsError::TooMany { count: endpoints.len(), max: MAX_ENDPOINTS });
    }
    let mut seen = HashSet::new();
    match endpoints.iter().find(|e| !seen.insert(&e.address)) {
        Some(twice) => Err(EndpointsError::Duplicate(twice.address.clone())),
        None => Ok(()),
    }
}
