//! The shapes whose transactions are calls of shipped contracts.
//!
//! Each call has a sender of its own, so that what a block waits for is what its contracts share.

use ed25519_zebra::SigningKey;
use kempe_abi::{Address, Hash};
use kempe_lending::Terms;
use kempe_oracle::{AHEAD_MS_MAX, BEHIND_MS_MAX, ROUND_MS, Report, message};
use kempe_orderbook::{LEVEL_ORDERS_MAX, Price, Side};

use super::Draw;
use crate::account_address;
use crate::world::{ENV, Stage, WorldError};

/// What everybody has of every token that it uses.
const FUNDS: u128 = 1 << 60;
/// What those put in who lend, or trade against a pool.
const DEPOSIT: u128 = 1 << 50;
/// Small beside it, so that no price moves out of reach.
const AMOUNT: u128 = 1000;
/// One, where fractions have 18 digits.
const ONE: u128 = 1_000_000_000_000_000_000;
/// A deadline that never comes.
const NEVER_MS: u64 = u64::MAX;
/// The oracle's, which its reporters sign.
const DOMAIN: u64 = 1;
/// The price in the middle of a book, in ticks.
const MIDDLE: usize = 10_000;

/// Who owns all that is deployed, and has the first of everything.
fn owner() -> Address {
    Address(SigningKey::from([7; 32]).verification_key().into())
}

fn account(number: u64) -> Address {
    account_address(usize::try_from(number).unwrap_or(usize::MAX))
}

/// A token, of which the owner has some.
fn new_token(stage: &mut Stage, label: &str) -> Result<Address, WorldError> {
    let token = stage.deploy(label.to_owned(), kempe_contracts::TOKEN, &(owner(),))?;
    stage.before(owner(), token, "mint", &(owner(), FUNDS));
    Ok(token)
}

/// Gives an account a token, and lets `spender` take it.
fn endow(stage: &mut Stage, token: Address, to: Address, spender: Address) {
    stage.before(owner(), token, "mint", &(to, FUNDS));
    stage.before(to, token, "approve", &(spender, u128::MAX));
}

pub(super) fn token(draw: &mut Draw<'_>, stage: &mut Stage) -> Result<(), WorldError> {
    let (n_accounts, zipf, hot) = (draw.count("accounts"), draw.value("zipf"), draw.value("hot"));
    let token = new_token(stage, "token")?;
    stage.put(token, "balances", FUNDS, (0..n_accounts).map(account))?;
    for _ in 0..draw.n_txs() {
        let (mut from, mut to) = draw.two(n_accounts, zipf);
        if draw.percent(hot) {
            from = from.max(to);
            to = 0;
        }
        stage.call(account(from), token, "transfer", &(account(to), AMOUNT));
    }
    Ok(())
}

/// Pools of a token of their own and a coin.
struct Pools {
    coin: Address,
    pools: Vec<Address>,
}

impl Pools {
    fn new(stage: &mut Stage, coin: Address, n_pools: u64) -> Result<Self, WorldError> {
        let mut pools = Vec::new();
        for at in 0..n_pools {
            let token = new_token(stage, &format!("token {at}"))?;
            let args = (token, coin, 30u16);
            let pool = stage.deploy(format!("pool {at}"), kempe_contracts::POOL, &args)?;
            for token in [token, coin] {
                stage.before(owner(), token, "approve", &(pool, u128::MAX));
            }
            let args = (DEPOSIT, DEPOSIT, 0u128, NEVER_MS);
            stage.before(owner(), pool, "add_liquidity", &args);
            pools.push(pool);
        }
        Ok(Self { coin, pools })
    }

    fn swap(&self, draw: &mut Draw<'_>, stage: &mut Stage, sender: Address) {
        let at = draw.zipf(self.pools.len() as u64, draw.value("zipf"));
        let pool = self.pools[usize::try_from(at).unwrap_or(0)];
        endow(stage, self.coin, sender, pool);
        stage.call(sender, pool, "sell_b", &(AMOUNT, 0u128, NEVER_MS));
    }
}

pub(super) fn swaps(draw: &mut Draw<'_>, stage: &mut Stage) -> Result<(), WorldError> {
    let coin = new_token(stage, "coin")?;
    let pools = Pools::new(stage, coin, draw.count("pools"))?;
    (0..draw.n_txs()).for_each(|sender| pools.swap(draw, stage, account(sender)));
    Ok(())
}

fn collection(stage: &mut Stage) -> Result<Address, WorldError> {
    let args = (owner(), "https://example.org/".to_owned());
    stage.deploy("collection".to_owned(), kempe_contracts::NFT, &args)
}

fn mint(stage: &mut Stage, collection: Address, sender: Address) {
    stage.before(owner(), collection, "set_minter", &(sender, true));
    stage.call(sender, collection, "mint", &(sender, 0u64, Hash([5; 32])));
}

pub(super) fn mints(draw: &mut Draw<'_>, stage: &mut Stage) -> Result<(), WorldError> {
    let collection = collection(stage)?;
    (0..draw.n_txs()).for_each(|sender| mint(stage, collection, account(sender)));
    Ok(())
}

/// How many rounds of prices one block can publish, and when the one before them begins.
const N_ROUNDS: u64 = (BEHIND_MS_MAX + AHEAD_MS_MAX) / ROUND_MS;
const FIRST_MS: u64 = ENV.time_ms - BEHIND_MS_MAX;

/// Markets in which a coin is lent against a token of their own, at the prices of one oracle.
struct Markets {
    oracle: Address,
    markets: Vec<Market>,
}

struct Market {
    market: Address,
    collateral: Address,
}

impl Markets {
    fn new(stage: &mut Stage, coin: Address, n_markets: u64) -> Result<Self, WorldError> {
        let args = (owner(), vec![owner()], 1u8, DOMAIN);
        let oracle = stage.deploy("oracle".to_owned(), kempe_contracts::ORACLE, &args)?;
        let args = publish(oracle, coin, FIRST_MS);
        stage.before(owner(), oracle, "publish", &args);
        let mut markets = Vec::new();
        for at in 0..n_markets {
            let collateral = new_token(stage, &format!("collateral {at}"))?;
            let args = publish(oracle, collateral, FIRST_MS);
            stage.before(owner(), oracle, "publish", &args);
            let args = (coin, collateral, oracle, terms());
            let market = stage.deploy(format!("market {at}"), kempe_contracts::LENDING, &args)?;
            stage.before(owner(), coin, "approve", &(market, u128::MAX));
            stage.before(owner(), market, "deposit", &(DEPOSIT, 0u128));
            markets.push(Market { market, collateral });
        }
        Ok(Self { oracle, markets })
    }

    fn borrow(&self, draw: &mut Draw<'_>, stage: &mut Stage, sender: Address) {
        let at = draw.below(self.markets.len() as u64);
        let &Market { market, collateral } = &self.markets[usize::try_from(at).unwrap_or(0)];
        endow(stage, collateral, sender, market);
        stage.before(sender, market, "add_collateral", &(1000 * AMOUNT,));
        stage.call(sender, market, "borrow", &(AMOUNT,));
    }

    /// Reports a price: of each market's collateral for each round that a block knows of, then of what nobody lends on.
    fn report(&self, stage: &mut Stage, number: u64) {
        let n_markets = self.markets.len() as u64;
        let (at, round) = (number % n_markets, number / n_markets);
        let (asset, round) = if round < N_ROUNDS {
            (self.markets[usize::try_from(at).unwrap_or(0)].collateral, round)
        } else {
            (account(number), 0)
        };
        let args = publish(self.oracle, asset, FIRST_MS + (round + 1) * ROUND_MS);
        stage.call(owner(), self.oracle, "publish", &args);
    }
}

fn terms() -> Terms {
    Terms {
        borrow_bp: 7_500,
        liquidation_bp: 8_000,
        bonus_bp: 500,
        reserve_bp: 1_000,
        base_rate: ONE / 50,
        low_slope: ONE / 10,
        high_slope: ONE,
        kink: ONE / 10 * 8,
        price_ms_max: u64::MAX,
        debt_min: AMOUNT,
        treasurer: owner(),
    }
}

/// The arguments that report a price of one.
fn publish(oracle: Address, asset: Address, time_ms: u64) -> (Address, u64, Vec<Report>) {
    let message = message(DOMAIN, oracle, asset, ONE, time_ms);
    let signature = SigningKey::from([7; 32]).sign(&message.0).into();
    (asset, time_ms, vec![Report { reporter: owner(), value: ONE, signature }])
}

pub(super) fn loans(draw: &mut Draw<'_>, stage: &mut Stage) -> Result<(), WorldError> {
    let coin = new_token(stage, "coin")?;
    let markets = Markets::new(stage, coin, draw.count("markets"))?;
    let every = draw.count("every");
    for sender in 0..draw.n_txs() {
        if sender % every == every - 1 {
            markets.report(stage, sender / every);
        } else {
            markets.borrow(draw, stage, account(sender));
        }
    }
    Ok(())
}

fn staking(stage: &mut Stage, coin: Address) -> Result<Address, WorldError> {
    let args = (coin, coin, owner(), 1u64);
    stage.deploy("staking".to_owned(), kempe_contracts::STAKING, &args)
}

fn stake(stage: &mut Stage, coin: Address, staking: Address, sender: Address) {
    endow(stage, coin, sender, staking);
    stage.call(sender, staking, "stake", &(AMOUNT, 0u64));
}

pub(super) fn stakes(draw: &mut Draw<'_>, stage: &mut Stage) -> Result<(), WorldError> {
    let coin = new_token(stage, "coin")?;
    let staking = staking(stage, coin)?;
    (0..draw.n_txs()).for_each(|sender| stake(stage, coin, staking, account(sender)));
    Ok(())
}

/// Books that fill up: the prices of both sides, with how many orders each holds.
struct Books {
    tokens: [Address; 2],
    book: Address,
    n_orders: Vec<usize>,
}

impl Books {
    fn open(&mut self, stage: &mut Stage) -> Result<(), WorldError> {
        let [base, quote] = self.tokens;
        let args = (base, quote, AMOUNT, 1u128, 1u64);
        self.book = stage.deploy("book".to_owned(), kempe_contracts::ORDERBOOK, &args)?;
        self.n_orders.fill(0);
        Ok(())
    }

    /// Makes room for another order at a price, or at the next one that has room: sells above the middle, buys
    /// below it.
    fn place(&mut self, first: usize) -> Option<(Side, Price)> {
        let n_prices = self.n_orders.len() / 2;
        let has_room = |&at: &usize| self.n_orders[at] < LEVEL_ORDERS_MAX;
        let at = (first..2 * n_prices).chain(0..first).find(has_room)?;
        self.n_orders[at] += 1;
        let (side, ticks) = match at.checked_sub(n_prices) {
            None => (Side::Sell, MIDDLE + at),
            Some(below) => (Side::Buy, MIDDLE - 1 - below),
        };
        Some((side, Price::of(u16::try_from(ticks).ok()?)?))
    }
}

pub(super) fn orders(draw: &mut Draw<'_>, stage: &mut Stage) -> Result<(), WorldError> {
    let tokens = [new_token(stage, "base")?, new_token(stage, "quote")?];
    let n_prices = draw.count("prices");
    let n_orders = (0..2 * n_prices).map(|_| 0).collect();
    let mut books = Books { tokens, book: Address::ZERO, n_orders };
    books.open(stage)?;
    for sender in 0..draw.n_txs() {
        let first = usize::try_from(draw.below(2 * n_prices)).unwrap_or(0);
        let placed = match books.place(first) {
            None => {
                books.open(stage)?;
                books.place(first)
            }
            placed => placed,
        };
        let Some((side, price)) = placed else { continue };
        let sender = account(sender);
        tokens.into_iter().for_each(|token| endow(stage, token, sender, books.book));
        let funds = DEPOSIT;
        stage.before(sender, books.book, "deposit", &(funds, funds));
        stage.call(sender, books.book, "place", &(side, price, 1u64, 0u64));
    }
    Ok(())
}

pub(super) fn defi(draw: &mut Draw<'_>, stage: &mut Stage) -> Result<(), WorldError> {
    let coin = new_token(stage, "coin")?;
    let pools = Pools::new(stage, coin, draw.count("pools"))?;
    let markets = Markets::new(stage, coin, draw.count("markets"))?;
    let (staking, collection) = (staking(stage, coin)?, collection(stage)?);
    for number in 0..draw.n_txs() {
        let sender = account(number);
        match draw.below(100) {
            0..60 => {
                stage.before(owner(), coin, "mint", &(sender, FUNDS));
                let to = account(draw.below(draw.n_txs()));
                stage.call(sender, coin, "transfer", &(to, AMOUNT));
            }
            60..80 => pools.swap(draw, stage, sender),
            80..90 => markets.borrow(draw, stage, sender),
            90..95 => stake(stage, coin, staking, sender),
            _ => mint(stage, collection, sender),
        }
    }
    Ok(())
}
