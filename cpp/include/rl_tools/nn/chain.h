// Layers in a row: the one structure behind an mlp and a sequential model, and the one way to walk through either.
#pragma once

#include <rl_tools/containers/layout.h>
#include <rl_tools/math/operations.h>

#include <type_traits>

namespace rl_tools::nn {

// An aggregate, so that a checkpoint can write it as {first, {second, {third}}} and it stays constexpr.
template <typename... T_MODULES>
struct Chain;

template <typename T_HEAD>
struct Chain<T_HEAD> {
    using HEAD = T_HEAD;
    using LAST = T_HEAD;
    static constexpr size_t LENGTH = 1;
    HEAD head;
};

template <typename T_HEAD, typename... T_TAIL>
struct Chain<T_HEAD, T_TAIL...> {
    using HEAD = T_HEAD;
    using TAIL = Chain<T_TAIL...>;
    using LAST = typename TAIL::LAST;
    static constexpr size_t LENGTH = 1 + TAIL::LENGTH;
    static_assert(HEAD::OUTPUT_DIM == TAIL::HEAD::INPUT_DIM,
                  "rl_tools: a layer's input size must be the output size of the layer before it");
    HEAD head;
    TAIL tail;
};

// The first module of this type.
template <typename MODULE, typename CHAIN>
constexpr auto& get(CHAIN& chain) {
    if constexpr (std::is_same_v<MODULE, typename CHAIN::HEAD>) {
        return chain.head;
    } else {
        static_assert(CHAIN::LENGTH > 1, "rl_tools: the chain has no module of this type");
        return get<MODULE>(chain.tail);
    }
}

// How many numbers a primitive layer carries from one step to the next, and how many it needs while it computes one.
// A recurrent layer specialises both beside its type.
template <typename LAYER>
inline constexpr size_t state_dim = 0;
template <typename LAYER>
inline constexpr size_t scratch_dim = 0;

// Which operations a primitive layer computes with; specialised beside its type. A layer that does not say counts as
// one that uses them all.
template <typename LAYER>
inline constexpr math::Operations operations = math::ALL_OPERATIONS;

// Whether a layer has a `sample` of its own, with randomness in it, beside `evaluate`.
template <typename LAYER>
inline constexpr bool has_sampling = false;

// A primitive layer counts as itself, a composite as its layers: an mlp inside a sequential model is walked through.
template <typename MODULE>
struct Primitives {
    static constexpr size_t COUNT = 1;
    static constexpr size_t WIDEST = MODULE::OUTPUT_DIM;
    static constexpr size_t STATE_DIM = state_dim<MODULE>;
    static constexpr size_t SCRATCH_DIM = scratch_dim<MODULE>;
    static constexpr math::Operations OPERATIONS = operations<MODULE>;
};

template <typename HEAD>
struct Primitives<Chain<HEAD>> : Primitives<HEAD> {};

template <typename HEAD, typename NEXT, typename... TAIL>
struct Primitives<Chain<HEAD, NEXT, TAIL...>> {
    using REST = Primitives<Chain<NEXT, TAIL...>>;
    static constexpr size_t COUNT = Primitives<HEAD>::COUNT + REST::COUNT;
    static constexpr size_t WIDEST = Primitives<HEAD>::WIDEST > REST::WIDEST ? Primitives<HEAD>::WIDEST : REST::WIDEST;
    static constexpr size_t STATE_DIM = Primitives<HEAD>::STATE_DIM + REST::STATE_DIM;
    static constexpr size_t SCRATCH_DIM =
        Primitives<HEAD>::SCRATCH_DIM > REST::SCRATCH_DIM ? Primitives<HEAD>::SCRATCH_DIM : REST::SCRATCH_DIM;
    static constexpr math::Operations OPERATIONS = Primitives<HEAD>::OPERATIONS | REST::OPERATIONS;
};

// Calls visitor(layer) for every primitive layer, in order. A composite overloads this beside its own type;
// one that has numbers besides its layers' calls visitor.numbers_of(composite) after them.
template <typename MODULE, typename VISITOR>
inline void for_each_primitive(const MODULE& module, VISITOR& visitor) {
    visitor(module);
}

template <typename HEAD, typename... TAIL, typename VISITOR>
inline void for_each_primitive(const Chain<HEAD, TAIL...>& chain, VISITOR& visitor) {
    for_each_primitive(chain.head, visitor);
    if constexpr (sizeof...(TAIL) > 0) {
        for_each_primitive(chain.tail, visitor);
    }
}

// A model of modules of other types: MODEL<the modules of CHAIN>.
template <template <typename...> class MODEL, typename CHAIN>
struct Rebind;

template <template <typename...> class MODEL, typename... MODULES>
struct Rebind<MODEL, Chain<MODULES...>> {
    using type = MODEL<MODULES...>;
};

template <typename HEAD, typename TAIL>
struct Prepend;

template <typename HEAD, typename... TAIL>
struct Prepend<HEAD, Chain<TAIL...>> {
    using type = Chain<HEAD, TAIL...>;
};

template <typename LAYOUT, typename HEAD>
constexpr auto in_layout(LAYOUT layout, const Chain<HEAD>& chain) {
    return Chain<decltype(in_layout(layout, chain.head))>{in_layout(layout, chain.head)};
}

template <typename LAYOUT, typename HEAD, typename NEXT, typename... TAIL>
constexpr auto in_layout(LAYOUT layout, const Chain<HEAD, NEXT, TAIL...>& chain) {
    using REST = decltype(in_layout(layout, chain.tail));
    return typename Prepend<decltype(in_layout(layout, chain.head)), REST>::type{in_layout(layout, chain.head),
                                                                                 in_layout(layout, chain.tail)};
}

}  // namespace rl_tools::nn
