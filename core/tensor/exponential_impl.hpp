// What the kernels of tensor and of attention share; see kernels_impl.hpp for
// what must be defined before.

namespace troupe {

namespace {

// e^x to about 1e-7 relative, x clamped to [-87, 88]; e^0 is exactly 1. The
// polynomial is that of Cephes' expf.
inline vec exponential(vec x) {
  constexpr auto magic = 12582912.f; // 1.5 * 2^23: adding it rounds to integer
  x = smaller(splat(88.f), x);
  x = larger(splat(-87.f), x);
  auto t = fma(x, splat(1.44269504f), splat(magic));
  auto n = sub(t, splat(magic));
  auto r = fma(n, splat(-0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  auto p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  auto y = add(fma(p, mul(r, r), r), splat(1.f));
  return mul(y, power_of_two(t));
}

// tanh(x) = 1 - 2 / (1 + e^2x), to about 1e-7 of 1.
inline vec capped(vec x, float cap) {
  auto e = exponential(mul(x, splat(2.f / cap)));
  auto t = sub(splat(1.f), div(splat(2.f), add(splat(1.f), e)));
  return mul(t, splat(cap));
}

} // namespace

} // namespace troupe
