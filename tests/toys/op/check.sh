# SPDX-License-Identifier: GPL-3.0-or-later
# An op: the tests of all ops draw its samples, and see when its gradient is wrong.
mkdir -p tests/autograd
cp -p "$toys"/../{test,environment,matrix}.[ch] "$toys"/../shell.c tests
cp -p "$toys"/../autograd/{eval.[ch],sampled.[ch],ops.c,ops_gradients.c} tests/autograd
all=build/$config/tests/all
build "$all"
has "$all" ops_are_complete ops_forward ops_gradients_equal -- "3 passed, 0 failed"
sed -i 's/2 [*] slope)/3 * slope)/' autograd/ops/toy.c
build "$all"
fails "$all" ops_gradients_equal -- "toy, odd size: gradient along direction 0"
